"""How many samples each side has retaken, and whether the sides differ in that by more than chance. Pure.

A sample is retaken where the kernel reports that the CPU was taken away, so that a busier machine has more of them. The
CPU time of a bench's own threads is no such report. Sides that differ are worth a note: a value that the code causes
might be among those that were left out.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aether_schema import Summary

#: Standard errors of the difference; one comparison in a thousand exceeds this by chance.
_DIFFERENT = 3.29


def retaken_samples(baseline: Summary, current: Summary) -> tuple[int, int] | None:
    """Return the numbers of retaken samples, or None if a side does not report them."""
    if baseline.disturbed is None or current.disturbed is None:
        return None
    return baseline.disturbed, current.disturbed


def note_on_retaken(baseline: Summary, current: Summary) -> str | None:
    """Return a sentence where the sides differ in retaken samples by more than chance explains."""
    counts = retaken_samples(baseline, current)
    if counts is None:
        return None
    taken = [retaken + side.n for retaken, side in zip(counts, (baseline, current), strict=True)]
    shared = sum(counts) / sum(taken)
    error = math.sqrt(shared * (1 - shared) * sum(1 / attempts for attempts in taken))
    shares = [retaken / attempts for retaken, attempts in zip(counts, taken, strict=True)]
    if abs(shares[0] - shares[1]) <= _DIFFERENT * error:
        return None
    before, after = (f"{retaken:,} of {attempts:,}" for retaken, attempts in zip(counts, taken, strict=True))
    return f"samples retaken because the CPU was taken away: {before} in the baseline, {after} now"
