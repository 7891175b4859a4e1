"""hyperfine: `--export-json`, in seconds. Every run is a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from aether_guard.importer.document import first_of
from aether_guard.importer.series import Series, swept

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_guard.importer.document import Document
    from aether_guard.importer.series import Wishes
    from aether_schema import Scalar

ABOUT = "hyperfine --export-json"
SUFFIXES: tuple[str, ...] = (".json",)


class _Result(Struct):
    command: str
    mean: float
    median: float | None = None
    times: tuple[float, ...] | None = None
    parameters: dict[str, Any] = {}
    exit_codes: list[int | None] | None = None


class _Report(Struct):
    results: list[_Result]


def recognises(document: Document) -> bool:
    """Return whether the first result is a command with a mean."""
    results = document.keys.get("results")
    return results is not None and {"command", "mean"} <= first_of(results).keys()


def read(document: Document, wishes: Wishes) -> Iterator[Series]:
    """Yield a command each, its parameters behind its name."""
    del wishes
    for result in document.decode(_Report).results:
        params: dict[str, Scalar] = {
            key: value for key, value in result.parameters.items() if isinstance(value, (str, int, float))
        }
        failed = sum(code != 0 for code in result.exit_codes or ())
        yield Series(
            name=swept(result.command, params),
            unit="s",
            rounds=(result.times,) if result.times else None,
            p50=result.mean if result.median is None else result.median,
            n=len(result.times or ()) or 1,
            params=params,
            notes=f"{failed} runs with an exit status other than 0" if failed else None,
        )
