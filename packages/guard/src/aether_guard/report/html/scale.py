"""An axis: where a value stands on it, and which values are written beside it. Pure."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_guard.report.format import format_value

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Both ends keep this share free: room for what is written beside a mark.
MARGIN = 0.09
_MAX_TICKS = 4
#: As many characters fit side by side on the narrowest screen.
_ROOM = 36
#: Beyond this ratio of largest to smallest the axis is logarithmic, in powers of ten.
_DECADES = 1.3
#: An axis spans at least this part of its values, so that a difference of nothing does not fill it.
_MIN_SPAN = 0.02
#: Below this, rounding would eat the steps of an axis.
_NEGLIGIBLE = 1e-100
_STEPS = (1, 2, 2.5, 5, 10, 20)


class Scale(Struct, frozen=True, kw_only=True):
    """An axis from `low` to `high`, which are powers of ten where it is `logarithmic`."""

    low: float
    high: float
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """Return where `value` stands, from 0 to 1."""
        place = math.log10(value) if self.logarithmic else value
        return MARGIN + (1 - 2 * MARGIN) * (place - self.low) / (self.high - self.low)


def scale_over(values: Sequence[float]) -> Scale:
    """Return the axis that shows all of `values`: at least one, each finite and not negative."""
    low, high = min(values), max(values)
    if low > _NEGLIGIBLE and math.log10(high) - math.log10(low) > _DECADES:
        return Scale(low=math.log10(low), high=math.log10(high), logarithmic=True)
    least = high * _MIN_SPAN if high > _NEGLIGIBLE else 1.0
    if high - low < least:
        low = max(0.0, low + (high - low - least) / 2)
        high = min(low + least, sys.float_info.max)
    return Scale(low=low, high=high)


def ticks(scale: Scale, unit: str) -> list[tuple[float, str]]:
    """Return two to four round values on the axis, with what is written beside them."""
    labelled: list[tuple[float, str]] = []
    for most in range(_MAX_TICKS, 1, -1):
        values = _decades(scale, most) if scale.logarithmic else _even(scale, most)
        labelled = [(value, format_value(value, unit)) for value in values]
        if sum(len(text) for _, text in labelled) <= _ROOM:
            break
    return labelled


def _even(scale: Scale, most: int) -> list[float]:
    """Return at most `most` multiples of the smallest round step that leaves no more."""
    base = 10.0 ** math.floor(math.log10((scale.high - scale.low) / most))
    counts = range(0)
    for step in (base * part for part in _STEPS):
        counts = range(math.ceil(scale.low / step), math.floor(scale.high / step) + 1)
        if len(counts) <= most:
            break
    return [step * count for count in counts]


def _decades(scale: Scale, most: int) -> list[float]:
    """Return at most `most` of the values 1, 2 and 5 times a power of ten, or of the powers alone."""
    powers = range(math.floor(scale.low), math.floor(scale.high) + 1)
    values = [part * 10.0**power for power in powers for part in (1, 2, 5)]
    values = [value for value in values if scale.low <= math.log10(value) <= scale.high]
    whole = [value for value in values if math.log10(value).is_integer()]
    if len(values) > most and len(whole) > 1:
        values = whole
    return values[:: math.ceil(len(values) / most)]
