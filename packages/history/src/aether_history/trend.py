"""The meaning of a series: changes of its level, the commits around them, and changes of the machine. Pure."""

from __future__ import annotations

import json
import math
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct, field

from aether_history.row import DIRTY
from aether_schema import Better, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_history.changepoint import ChangePoint
    from aether_history.series import Point, Series

Kind = Literal["regression", "improvement"]
#: A smaller shift of the reference is no evidence about a machine.
_REFERENCE_SHIFT = 0.01
_MAX_KEYS = 5


class LevelChange(Struct, frozen=True, kw_only=True):
    """A change of a bench's level, for people and programs.

    `size` is the worsening as a fraction, positive is worse; None from a level of 0. `last_good` and `first_changed`
    are the commits of the runs around it: the change came after the first, up to the second. With 95 % confidence the
    first changed run is between the commits `earliest` and `latest`. `environment` holds the keys in which the runs
    around it differ; `reference_change` is the slowdown of the machine by its reference kernel, None without one.
    """

    kind: Kind
    index: int
    timestamp: str
    size: float | None
    before: float
    after: float
    confidence: float
    last_good: str | None
    first_changed: str | None
    earliest: str | None
    latest: str | None
    environment: tuple[str, ...]
    reference_change: float | None = field(name="ruler_change")

    @property
    def host_explanation(self) -> str:
        """Evidence for the machine instead of the code, in one phrase; empty without any."""
        parts = []
        if self.environment:
            keys = ", ".join(self.environment[:_MAX_KEYS]) + (", …" if len(self.environment) > _MAX_KEYS else "")
            parts.append(f"the environment changed ({keys})")
        if self.reference_change is not None and abs(self.reference_change) >= _REFERENCE_SHIFT:
            pace = "slower" if self.reference_change > 0 else "faster"
            parts.append(f"by the reference the machine became {abs(self.reference_change) * 100:.1f} % {pace}")
        return printable("; ".join(parts))


class Trend(Struct, frozen=True, kw_only=True):
    """The trend of one bench. `level` is the level of the latest runs and `latest` the last figure, in `unit`."""

    bench: str
    unit: str
    better: Better
    runs: int
    first: str
    last: str
    level: float
    latest: float
    changes: tuple[LevelChange, ...]
    notes: tuple[str, ...]


def trend_of(series: Series, changes: Sequence[ChangePoint]) -> Trend:
    """Return the meaning of the changes of a series."""
    points = series.points
    edges = [0, *(change.index for change in changes), len(points)]
    moments = tuple(
        _moment(series, change, low, high) for change, low, high in zip(changes, edges, edges[2:], strict=False)
    )
    return Trend(
        bench=series.name,
        unit=series.unit,
        better=series.better,
        runs=len(points),
        first=points[0].timestamp,
        last=points[-1].timestamp,
        level=median(series.values[edges[-2] :]),
        latest=points[-1].value,
        changes=moments,
        notes=series.notes,
    )


def _moment(series: Series, change: ChangePoint, low: int, high: int) -> LevelChange:
    points = series.points
    growth = change.size
    worsening = growth if series.better == "lower" else -growth
    return LevelChange(
        kind="regression" if worsening > 0 else "improvement",
        index=change.index,
        timestamp=points[change.index].timestamp,
        size=worsening if math.isfinite(worsening) else None,
        before=change.before,
        after=change.after,
        confidence=change.confidence,
        last_good=_commit(points[change.index - 1]),
        first_changed=_commit(points[change.index]),
        earliest=_commit(points[change.first]),
        latest=_commit(points[change.last]),
        environment=_differing(points[max(change.first - 1, 0)].environment, points[change.last].environment),
        reference_change=_reference_change(points[low : change.index], points[change.index : high]),
    )


def _commit(point: Point) -> str | None:
    return None if point.commit is None else point.commit.removesuffix(DIRTY)


def _reference_change(before: Sequence[Point], after: Sequence[Point]) -> float | None:
    """Return by which fraction the kernel that both sides carry takes longer."""
    kernel = after[0].kernel
    sides = [[point.ruler for point in side if point.kernel == kernel and point.ruler] for side in (before, after)]
    if kernel is None or not all(sides):
        return None
    old, new = (median(filter(None, side)) for side in sides)
    return new / old - 1


def _differing(before: str, after: str) -> tuple[str, ...]:
    """Return the keys in which two environments differ; none if one is unknown."""
    if before == after or "{}" in {before, after}:
        return ()
    old, new = _object(before), _object(after)
    return tuple(sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key)))


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
