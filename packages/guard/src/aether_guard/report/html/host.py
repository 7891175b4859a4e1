"""What the page says of the machines: how fast they were, and in what they differ."""

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
    """Return what both kernels took on both sides, and what that says of the machine."""
    if sides.both is None:
        return None
    baseline, current = sides.both
    pairs = [(baseline.reference, current.reference), (baseline.cross_reference, current.cross_reference)]
    rows = [row for before, after in pairs for row in _kernel_rows(before, after)]
    if not rows:
        return None
    ruler = reference_shift(baseline, current)
    told = "Kernels that never change, timed beside the samples: where they took longer, the machine was slower."
    if ruler is not None and ruler.disagreement is not None:
        told += f" The two disagree by {format_percent(round(ruler.disagreement, 3))}."
    return block("The ruler", table(["median of", "baseline", "current", "machine"], rows), caption=told)


def environment_block(sides: SummaryPair) -> Html | None:
    """Return the keys of the environment in which the two sides differ."""
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
    return block("Where the machines differ", table(["", "baseline", "current"], rows), caption=more)


def median(kernel: Reference) -> float:
    """Return the median of what a kernel took, in its unit."""
    return quantile((value for values in kernel.samples for value in values), 0.5)


def _kernel_rows(before: Reference | None, after: Reference | None) -> list[tuple[str, ...]]:
    """Return the row of a kernel that both sides carry, or a row for each where they differ."""
    if before is not None and after is not None and before.kernel == after.kernel:
        return [(_name(before), _length(before), _length(after), _speed(median(after) / median(before) - 1))]
    of_baseline = [] if before is None else [(_name(before), _length(before), _NOTHING, _NOTHING)]
    of_current = [] if after is None else [(_name(after), _NOTHING, _length(after), _NOTHING)]
    return [*of_baseline, *of_current]


def _speed(moved: float) -> str:
    if not round(moved, 3):
        return "as fast"
    return f"{format_percent(round(abs(moved), 3))} {'slower' if moved > 0 else 'faster'}"


def _name(kernel: Reference) -> str:
    return shortened(kernel.kernel, _VALUE_LENGTH)


def _length(kernel: Reference) -> str:
    return format_value(median(kernel), kernel.unit)


def _value(value: object) -> str:
    text = value if isinstance(value, str) else _NOTHING if value is None else msgspec.json.encode(value).decode()
    return shortened(text, _VALUE_LENGTH)
