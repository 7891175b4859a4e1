"""hyperfine: `--export-json`, in seconds. Every run is a process of its own."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from aether_formats.errors import ImportFileError
from aether_formats.model import Failures, ImportedSeries, name_with_params
from aether_formats.reading.document import first_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document
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


def matches(document: Document) -> bool:
    """Return whether the first result is a command with a mean."""
    results = document.keys.get("results")
    return results is not None and {"command", "mean"} <= first_of(results).keys()


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield a command each, its parameters behind its name; the times of runs that failed are left out."""
    del options
    for result in document.decode(_Report).results:
        params: dict[str, Scalar] = {
            key: value for key, value in result.parameters.items() if isinstance(value, (str, int, float))
        }
        failures, times = _failures(result), result.times or ()
        if failures is not None and times:
            times = tuple(time for time, code in zip(times, result.exit_codes or (), strict=True) if code == 0)
        # The tool's own statistics include failed runs.
        has_statistics = failures is None
        yield ImportedSeries(
            name=name_with_params(result.command, params),
            unit="s",
            rounds=tuple((time,) for time in times) or None,
            p50=result.median if has_statistics else None,
            mean=result.mean if has_statistics else None,
            n=len(times) or 1,
            params=params,
            failures=failures,
        )


def _failures(result: _Result) -> Failures | None:
    """Return the runs that failed, or None. A run without an exit status was ended by a signal.

    Raises:
        ImportFileError: the exit statuses do not match the times.

    """
    codes = result.exit_codes or ()
    failed = Counter(code for code in codes if code != 0)
    if not failed:
        return None
    if result.times and len(codes) != len(result.times):
        raise ImportFileError(f"{len(codes)} exit codes for {len(result.times)} times", place=result.command)
    kinds = ", ".join(
        f"{count} {'ended by a signal' if code is None else f'with exit status {code}'}"
        for code, count in failed.most_common()
    )
    total = failed.total()
    return Failures(failed=total, total=len(codes), problem=f"{total} of {len(codes)} runs failed: {kinds}")
