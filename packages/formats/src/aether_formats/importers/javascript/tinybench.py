"""tinybench, releases 2 to 6: its tasks, or its table, through `JSON.stringify`.

`bench.tasks.map((task) => ({ name: task.name, result: task.result }))` has the samples in milliseconds up to release 5,
and from 6 on with `retainSamples`. `bench.table()` has texts in nanoseconds, from release 3 on with the median.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from aether_formats.errors import ImportFileError
from aether_formats.model import Failures, ImportedSeries
from aether_formats.reading.document import keys_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document

ABOUT = "tinybench, its tasks or its table as JSON"
SUFFIXES: tuple[str, ...] = (".json",)
_RESULT = frozenset({"latency", "hz", "period", "error", "state"})
_NAMES = ("Task name", "Task Name")
_MEDIANS = ("Latency med (ns)", "Latency median (ns)")
_MEANS = ("Latency avg (ns)", "Latency average (ns)", "Average Time (ns)")
_NOT_RUN = "skipped: it did not run"
_ABORTED = Failures(failed=1, total=1, problem="the task was aborted")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")


class _Latency(Struct, rename="camel"):
    p50: float | None = None
    mean: float | None = None
    samples: tuple[float, ...] | None = None
    samples_count: int | None = None


class _Result(Struct, rename="camel"):
    state: str | None = None
    aborted: bool = False
    error: Any = msgspec.UNSET
    mean: float | None = None
    samples: tuple[float, ...] | None = None
    latency: _Latency | None = None
    runtime: str | None = None
    runtime_version: str | None = None


class _Task(Struct):
    name: str
    result: _Result | None = None


def matches(document: Document) -> bool:
    """Return whether the first entry is a task with a result, or a row of the table."""
    first = document.first_object
    if not first.keys().isdisjoint(_NAMES):
        return not first.keys().isdisjoint((*_MEDIANS, *_MEANS, "Error"))
    return "name" in first and not keys_of(first.get("result", b"0")).keys().isdisjoint(_RESULT)


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield the tasks."""
    del options
    if document.first_object.keys().isdisjoint(_NAMES):
        yield from map(_task, document.decode(list[_Task]))
        return
    for index, row in enumerate(document.decode(list[dict[str, Any]])):
        yield _row(row, f"[{index}]")


def _task(task: _Task) -> ImportedSeries:
    result = task.result
    if result is None or result.state in {"not-started", "started"}:
        return ImportedSeries(name=task.name, unit="ms", skipped=_NOT_RUN)
    # Releases before 3 have the statistics of the latency in the result itself.
    latency = result.latency or _Latency(mean=result.mean, samples=result.samples)
    return ImportedSeries(
        name=task.name,
        unit="ms",
        rounds=(latency.samples,) if latency.samples else None,
        p50=latency.p50,
        mean=latency.mean,
        n=max(1, latency.samples_count or 1),
        environment=_environment(result),
        failures=_failures(result),
    )


def _failures(result: _Result) -> Failures | None:
    if result.error is not msgspec.UNSET or result.state == "errored":
        # An Error is `{}` in JSON, unless the script writes its message.
        message = result.error.get("message") if isinstance(result.error, dict) else result.error
        text = f": {message[:160]}" if isinstance(message, str) and message else ""
        return Failures(failed=1, total=1, problem=f"the task failed{text}")
    if result.aborted or (result.state or "").startswith("aborted"):
        return _ABORTED
    return None


def _environment(result: _Result) -> dict[str, Any] | None:
    if result.runtime is None or result.runtime_version is None:
        return None
    if result.runtime == "node":
        return {"node": result.runtime_version}
    return {"runtime": f"{result.runtime} {result.runtime_version}"}


def _row(row: Mapping[str, Any], place: str) -> ImportedSeries:
    name = next((row[key] for key in _NAMES if key in row), None)
    if not isinstance(name, str):
        raise ImportFileError("missing, or no text", place=f"{place}.{_NAMES[0]}")
    if "Error" in row:
        problem = f"the task failed: {str(row['Error'])[:160]}"
        return ImportedSeries(name=name, unit="ns", failures=Failures(failed=1, total=1, problem=problem))
    failures = _ABORTED if str(row.get("Remarks", "")).startswith("aborted") else None
    median, mean = _cell(row, _MEDIANS, place), _cell(row, _MEANS, place)
    skipped = _NOT_RUN if median is None and mean is None and failures is None else None
    samples = row.get("Samples")
    n = samples if type(samples) is int and samples > 0 else 1
    return ImportedSeries(name=name, unit="ns", p50=median, mean=mean, n=n, failures=failures, skipped=skipped)


def _cell(row: Mapping[str, Any], names: tuple[str, ...], place: str) -> float | None:
    """Return the figure of the first column that is there: a number, or a text such as "1180108 ± 107.06%"."""
    key = next((name for name in names if name in row), None)
    if key is None or row[key] == "N/A":
        return None
    value = row[key]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    text = value.partition("±")[0].strip() if isinstance(value, str) else ""
    if not _NUMBER.fullmatch(text):
        raise ImportFileError(f"{str(value)[:40]!r} is no number", place=f"{place}.{key}")
    return float(text)
