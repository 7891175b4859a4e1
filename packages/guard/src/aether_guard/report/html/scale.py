"""The axis of a plot: positions and tick labels. Pure."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_guard.report.format import format_value

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Share of the axis kept free at both ends, as room for labels next to marks.
MARGIN = 0.09
_MAX_TICKS = 4
#: Characters of tick labels that fit on the narrowest screen.
_ROOM = 36
#: The axis is logarithmic if largest / smallest exceeds ten to this power.
_DECADES = 1.3
#: Minimum span of an axis as a share of its values, so that a negligible difference does not fill it.
_MIN_SPAN = 0.02
#: Smaller values would lose the steps of an axis to rounding.
_NEGLIGIBLE = 1e-100
_STEPS = (1, 2, 2.5, 5, 10, 20)


class Scale(Struct, frozen=True, kw_only=True):
    """An axis from `low` to `high`, which are exponents of ten if it is `logarithmic`."""

    low: float
    high: float
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """Return the position of `value`, from 0 to 1."""
        place = math.log10(value) if self.logarithmic else value
        return MARGIN + (1 - 2 * MARGIN) * (place - self.low) / (self.high - self.low)


def scale_over(values: Sequence[float]) -> Scale:
    """Return an axis for `values`: at least one, each finite and not negative."""
    low, high = min(values), max(values)
    if low > _NEGLIGIBLE and math.log10(high) - math.log10(low) > _DECADES:
        return Scale(low=math.log10(low), high=math.log10(high), logarithmic=True)
    min_span = high * _MIN_SPAN if high > _NEGLIGIBLE else 1.0
    if high - low < min_span:
        low = max(0.0, low + (high - low - min_span) / 2)
        high = min(low + min_span, sys.float_info.max)
    return Scale(low=low, high=high)


def ticks(scale: Scale, unit: str) -> list[tuple[float, str]]:
    """Return two to four round values on the axis with their labels."""
    labelled: list[tuple[float, str]] = []
    for limit in range(_MAX_TICKS, 1, -1):
        values = _decades(scale, limit) if scale.logarithmic else _even(scale, limit)
        labelled = [(value, format_value(value, unit)) for value in values]
        if sum(len(text) for _, text in labelled) <= _ROOM:
            break
    return labelled


def _even(scale: Scale, limit: int) -> list[float]:
    """Return multiples of the smallest round step that gives at most `limit` of them."""
    base = 10.0 ** math.floor(math.log10((scale.high - scale.low) / limit))
    counts = range(0)
    for step in (base * part for part in _STEPS):
        counts = range(math.ceil(scale.low / step), math.floor(scale.high / step) + 1)
        if len(counts) <= limit:
            break
    return [step * count for count in counts]


def _decades(scale: Scale, limit: int) -> list[float]:
    """Return at most `limit` values: 1, 2 and 5 times powers of ten, or the powers alone."""
    powers = range(math.floor(scale.low), math.floor(scale.high) + 1)
    values = [part * 10.0**power for power in powers for part in (1, 2, 5)]
    values = [value for value in values if scale.low <= math.log10(value) <= scale.high]
    whole = [value for value in values if math.log10(value).is_integer()]
    if len(values) > limit and len(whole) > 1:
        values = whole
    return values[:: math.ceil(len(values) / limit)]
