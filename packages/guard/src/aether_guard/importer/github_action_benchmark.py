"""github-action-benchmark: `customBiggerIsBetter` and `customSmallerIsBetter`; which of them, a file does not say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from aether_guard.importer.problem import ImportProblem
from aether_guard.importer.series import Series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_guard.importer.document import Document
    from aether_guard.importer.series import Wishes

ABOUT = "github-action-benchmark, custom (bigger or smaller is better)"
SUFFIXES: tuple[str, ...] = (".json",)


class _Result(Struct):
    name: str
    value: float | str
    unit: str
    range: str | float | None = None
    extra: str | None = None


def recognises(document: Document) -> bool:
    """Return whether the first entry has a name, a unit and a value."""
    return {"name", "unit", "value"} <= document.first.keys()


def read(document: Document, wishes: Wishes) -> Iterator[Series]:
    """Yield an entry each, as a figure without samples."""
    del wishes
    for index, result in enumerate(document.decode(list[_Result])):
        try:
            value = float(result.value)
        except ValueError:
            raise ImportProblem(f"{str(result.value)[:40]!r} is no number", place=f"[{index}].value") from None
        spread = None if result.range is None else f"range {str(result.range)[:80]}"
        yield Series(name=result.name, unit=result.unit, p50=value, notes=spread)
