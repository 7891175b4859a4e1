"""Interference: by how much a sample slows the next sample of the other version more than vice versa. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_compare.stats.variance import MEDIAN_TO_STANDARD, median_abs_deviation
from aether_schema import quantile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aether_compare.stats.e_process import CostPair

#: The least number of blocks.
MIN_BLOCKS = 6
#: The standard error of a median of normal figures is this number of times the standard error of their mean.
_MEDIAN_EFFICIENCY = 1.2533


class Interference(Struct, frozen=True, kw_only=True):
    """A difference of logarithms, above 0 where the old version slows the new one more, and its standard error.

    Half of it is in the measured change: every other sample comes after one of the other version.
    """

    log_difference: float
    standard_error: float


def interference_of(blocks: Iterable[Sequence[CostPair]]) -> Interference | None:
    """Return the interference in blocks whose order turns round with each pair, None of too few.

    There a sample that is second in its pair comes after the other version, and one that is first after its own.
    """
    differences = [difference for block in blocks if (difference := _difference(block)) is not None]
    if len(differences) < MIN_BLOCKS:
        return None
    centre = quantile(differences, 0.5)
    spread = MEDIAN_TO_STANDARD * median_abs_deviation(differences, centre)
    return Interference(log_difference=centre, standard_error=_MEDIAN_EFFICIENCY * spread / math.sqrt(len(differences)))


def _difference(block: Sequence[CostPair]) -> float | None:
    """Return by how much being second costs the new version more than the old, None of a block in one order."""
    new_first = [pair for pair in block if pair.new_first]
    old_first = [pair for pair in block if not pair.new_first]
    if not new_first or not old_first:
        return None
    new = _mean_log([pair.new for pair in old_first]) - _mean_log([pair.new for pair in new_first])
    old = _mean_log([pair.old for pair in new_first]) - _mean_log([pair.old for pair in old_first])
    return new - old


def _mean_log(costs: Sequence[float]) -> float:
    return math.fsum(map(math.log, costs)) / len(costs)
