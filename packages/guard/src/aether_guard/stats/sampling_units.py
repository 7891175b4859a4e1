"""The units of a comparison: one number per round, the logarithm of its own quantile. Pure.

Normalizing takes out the machine's speed: for the middle every sample is divided by the reference
next to it (a throughput is multiplied) before the quantile is taken; for the tail the round's quantile is divided
by the same quantile of its references. The tail of the ratios would hold the samples whose reference was fast by
accident.

The tail of few samples lies nearer the middle than the tail of many; rounds of different lengths are therefore cut
to pieces of the same length, and the pieces of a round averaged.
"""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from aether_schema import statistic

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aether_schema import Rounds, Statistic, Summary

#: Shorter pieces of a round hold no tail, and are not cut from one process.
MIN_SAMPLES = 3
_MIN_UNITS = 2


class Units(Struct, frozen=True):
    """The logarithms to compare, a list per side; `piece` is the length of the pieces.

    With `single` a side came from one process, and pieces of it are the units. With `paired` the units are rounds, and
    those in the same place had the same memory layout.
    """

    sides: tuple[list[float], list[float]]
    piece: int
    single: bool
    paired: bool = False

    @property
    def count(self) -> int:
        """The units of the smaller side."""
        return min(map(len, self.sides))


def compared_units(baseline: Summary, current: Summary, name: Statistic, *, normalized: bool) -> Units | None:
    """Return the units of both sides, or None where the samples are too few."""
    sides = [summary.samples or () for summary in (baseline, current)]
    lengths = [_usual_length(rounds) for rounds in sides]
    single = any(len(rounds) < _MIN_UNITS for rounds in sides)
    is_tail = name in {"p5", "p95"}
    if is_tail and not single and min(lengths) < MIN_SAMPLES:
        # Processes too short for a tail of their own are taken together, and pieces of them compared.
        baseline, current = (_as_one_round(summary) for summary in (baseline, current))
        lengths = [sum(map(len, rounds)) for rounds in sides]
        apart = True
    else:
        apart = single
    # Without rounds as units, quarters of all samples are the units.
    piece = max(MIN_SAMPLES, min(lengths) // 4) if apart else min(lengths)
    if piece < (MIN_SAMPLES if apart else 1):
        return None
    figure_of = _normalized_quantiles if normalized else _raw_quantiles
    before, after = (_logarithms(list(figure_of(summary, piece, name)), apart=apart) for summary in (baseline, current))
    rounds = {len(before), len(after), *map(len, sides)}
    paired = not apart and len(rounds) == 1 and _have_same_layouts(baseline, current)
    units = Units((before, after), piece, single, paired)
    return units if units.count >= _MIN_UNITS else None


def _have_same_layouts(baseline: Summary, current: Summary) -> bool:
    """Return whether rounds of the same number had the same memory layout: the same seed and build of Python."""
    builds = [
        tuple((summary.environment or {}).get(key) for key in ("machine", "python", "python_build"))
        for summary in (baseline, current)
    ]
    return baseline.layout_seed is not None and baseline.layout_seed == current.layout_seed and builds[0] == builds[1]


def _as_one_round(summary: Summary) -> Summary:
    """Return the summary with all samples, and the references next to them, in one round."""
    samples = (tuple(chain.from_iterable(summary.samples or ())),)
    reference = summary.reference
    if reference is not None:
        reference = replace(reference, samples=(tuple(chain.from_iterable(reference.samples)),))
    return replace(summary, samples=samples, reference=reference, cross_reference=None)


def _raw_quantiles(summary: Summary, piece: int, name: Statistic) -> Iterator[list[float]]:
    """Yield the statistic of every piece, one list per round."""
    for values in summary.samples or ():
        yield [statistic(part, name) for part in _pieces(values, piece)]


def _normalized_quantiles(summary: Summary, piece: int, name: Statistic) -> Iterator[list[float]]:
    """Yield the normalized statistic of every piece, one list per round."""
    assert summary.reference is not None
    for values, references in zip(summary.samples or (), summary.reference.samples, strict=True):
        # The divisor of a duration; a throughput is multiplied by the time of the reference.
        scale = references if summary.lower_is_better else [1 / reference for reference in references]
        parts = zip(_pieces(values, piece), _pieces(scale, piece), strict=True)
        if name in {"p5", "p95"}:
            yield [statistic(part, name) / statistic(by, name) for part, by in parts]
        else:
            yield [statistic([value / by for value, by in zip(*part, strict=True)], name) for part in parts]


def _usual_length(rounds: Rounds) -> int:
    lengths = sorted(map(len, rounds))
    return lengths[len(lengths) // 2] if lengths else 0


def _pieces(values: Sequence[float], piece: int) -> list[Sequence[float]]:
    """Return the whole pieces of a round; a shorter round is one piece, unless it is less than half of one."""
    parts = [values[start : start + piece] for start in range(0, len(values), piece)]
    return [part for part in parts if len(part) == piece] or [
        part for part in parts if len(part) >= max(min(MIN_SAMPLES, piece), piece / 2)
    ]


def _logarithms(rounds: Sequence[Sequence[float]], *, apart: bool) -> list[float]:
    """Return the logarithm of a round's quantiles, their mean, or with `apart` each of them."""
    units: list[float] = []
    for quantiles in rounds:
        if not quantiles or min(quantiles) <= 0 or not math.isfinite(max(quantiles)):
            continue  # nothing in it, or a figure of 0, of which there is no ratio
        logs = [math.log(value) for value in quantiles]
        units += logs if apart else [sum(logs) / len(logs)]
    return units
