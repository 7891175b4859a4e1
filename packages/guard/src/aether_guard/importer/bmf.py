"""Bencher's metric format: `{bench: {measure: {value, lower_value?, upper_value?}}}`. It tells no units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from aether_guard.importer.document import keys_of
from aether_guard.importer.series import Series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_guard.importer.document import Document
    from aether_guard.importer.series import Wishes

ABOUT = "Bencher's metric format"
SUFFIXES: tuple[str, ...] = (".json",)


class _Metric(Struct):
    value: float
    lower_value: float | None = None
    upper_value: float | None = None


def recognises(document: Document) -> bool:
    """Return whether the first bench holds a measure with a value, and nothing else."""
    if not document.keys:
        return False
    measures = [keys_of(measure) for measure in keys_of(next(iter(document.keys.values()))).values()]
    allowed = {"value", "lower_value", "upper_value"}
    return bool(measures) and all("value" in measure and measure.keys() <= allowed for measure in measures)


def read(document: Document, wishes: Wishes) -> Iterator[Series]:
    """Yield a bench and a measure each; where a bench has several, the measure stands behind its name.

    The name of the measure stands for the unit, which whoever imports may know: `--unit`.
    """
    for bench, measures in document.decode(dict[str, dict[str, _Metric]]).items():
        for measure, metric in measures.items():
            yield Series(
                name=bench if len(measures) == 1 else f"{bench} {measure}",
                unit=wishes.unit or measure,
                p50=metric.value,
            )
