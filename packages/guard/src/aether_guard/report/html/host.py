"""Blocks of the page about the machines: their speed and their differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from aether_guard.check.reference import environment_differences, reference_shift
from aether_guard.report.format import format_percent, format_value
from aether_guard.report.html.markup import block, shortened, table
from aether_schema import quantile

if TYPE_CHECKING:
    from aether_guard.report.html.markup import Html
    from aether_guard.report.html.summary_pair import SummaryPair
    from aether_schema import Reference

_MAX_KEYS = 30
_VALUE_LENGTH = 200
_NOTHING = "-"


def reference_block(sides: SummaryPair) -> Html | None:
    """Return the medians of both reference kernels on both sides, and the change in machine speed."""
    if sides.both is None:
        return None
    baseline, current = sides.both
    pairs = [(baseline.reference, current.reference), (baseline.cross_reference, current.cross_reference)]
    rows = [row for before, after in pairs for row in _kernel_rows(before, after)]
    if not rows:
        return None
    shift = reference_shift(baseline, current)
    caption = "Fixed kernels timed next to the samples: if they took longer, the machine was slower."
    if shift is not None and shift.disagreement is not None:
        caption += f" The two kernels disagree by {format_percent(round(shift.disagreement, 3))}."
    return block("Reference", table(["median of", "baseline", "current", "machine"], rows), caption=caption)


def environment_block(sides: SummaryPair) -> Html | None:
    """Return the environment keys in which the two sides differ."""
    keys = (
        []
        if sides.baseline is None or sides.current is None
        else environment_differences(sides.baseline, sides.current)
    )
    if not keys:
        return None
    environments = [summary.environment or {} for _, summary in sides.named]
    rows = [
        [shortened(key, _VALUE_LENGTH), *(_value(environment.get(key)) for environment in environments)]
        for key in keys[:_MAX_KEYS]
    ]
    more = f"and {len(keys) - _MAX_KEYS} more" if len(keys) > _MAX_KEYS else None
    return block("Differences between the machines", table(["", "baseline", "current"], rows), caption=more)


def median(kernel: Reference) -> float:
    """Return the median time of a kernel, in its unit."""
    return quantile((value for values in kernel.samples for value in values), 0.5)


def _kernel_rows(before: Reference | None, after: Reference | None) -> list[tuple[str, ...]]:
    """Return one row if both sides have the same kernel, else a row per side."""
    if before is not None and after is not None and before.kernel == after.kernel:
        return [(_name(before), _length(before), _length(after), _speed(median(after) / median(before) - 1))]
    of_baseline = [] if before is None else [(_name(before), _length(before), _NOTHING, _NOTHING)]
    of_current = [] if after is None else [(_name(after), _NOTHING, _length(after), _NOTHING)]
    return [*of_baseline, *of_current]


def _speed(slowdown: float) -> str:
    if not round(slowdown, 3):
        return "unchanged"
    return f"{format_percent(round(abs(slowdown), 3))} {'slower' if slowdown > 0 else 'faster'}"


def _name(kernel: Reference) -> str:
    return shortened(kernel.kernel, _VALUE_LENGTH)


def _length(kernel: Reference) -> str:
    return format_value(median(kernel), kernel.unit)


def _value(value: object) -> str:
    text = value if isinstance(value, str) else _NOTHING if value is None else msgspec.json.encode(value).decode()
    return shortened(text, _VALUE_LENGTH)
