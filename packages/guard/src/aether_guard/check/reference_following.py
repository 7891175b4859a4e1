"""Whether a bench follows the reference, slowing when the reference slows. Pure.

The reference measures how fast the machine runs the reference. The correlation of bench and reference shows whether
the same holds for the bench: from round to round on either side, and from run to run where the baseline keeps several.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_guard.check.estimate import run_levels
from aether_guard.stats.sampling_units import compared_units
from aether_guard.stats.t_distribution import t_sf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_schema import Summary

#: How often a bench that ignores the reference may be taken for one that follows it. A small correction on one and the
#: same machine is usual, and takes less to be believed.
LEVEL, USUAL_LEVEL = 0.01, 0.25
#: A bench with less than this part of the reference's movement does not follow it all the way.
_MIN_SHARE = 0.5
#: Smaller movements, in logarithms, are rounding.
_STILL = 1e-9


class Following(Struct, frozen=True, kw_only=True):
    """How the logarithms of bench and reference moved together, each from the mean of its side.

    `part` is the ratio of their standard deviations, and `count` how many rounds and runs there were.
    """

    correlation: float
    part: float
    chance: float
    count: int

    def is_shown(self, level: float) -> bool:
        """Return whether the correlation is no chance at `level`, and the bench moves at least half as far."""
        return self.chance <= level and self.part >= _MIN_SHARE


def read_following(baseline: Summary, current: Summary) -> Following | None:
    """Return how the bench followed the reference, or None where one of them did not move.

    The medians of the rounds are compared even where a tail is judged: a tail moves with single samples.
    """
    raw, scaled = (compared_units(baseline, current, "p50", normalized=normalized) for normalized in (False, True))
    if raw is None or scaled is None:
        return None
    runs = [run_levels(baseline, "p50", normalized=normalized) for normalized in (False, True)]
    groups = [*zip(raw.sides, scaled.sides, strict=True), (runs[0], runs[1])]
    moves = [move for group in groups for move in _moves(*group)]
    freedom = len(moves) - sum(map(bool, (side for side, _ in groups))) - 1
    bench, reference = (math.sqrt(math.fsum(move[side] ** 2 for move in moves)) for side in (0, 1))
    if freedom < 1 or min(bench, reference) < _STILL:
        return None
    correlation = min(1.0, max(-1.0, math.fsum(a * b for a, b in moves) / (bench * reference)))
    rest = 1 - correlation**2
    return Following(
        correlation=correlation,
        part=bench / reference,
        chance=t_sf(correlation * math.sqrt(freedom / rest), freedom) if rest > 0 else float(correlation < 0),
        count=len(moves),
    )


def _moves(raw: Sequence[float], normalized: Sequence[float]) -> list[tuple[float, float]]:
    """Return by how much bench and reference differ from their means; nothing where a figure is missing."""
    if not raw or len(raw) != len(normalized):
        return []
    references = [mine - theirs for mine, theirs in zip(raw, normalized, strict=True)]
    means = [math.fsum(values) / len(values) for values in (raw, references)]
    return [(mine - means[0], other - means[1]) for mine, other in zip(raw, references, strict=True)]
