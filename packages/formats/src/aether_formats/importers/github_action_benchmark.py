"""github-action-benchmark: custom results, or the history that it stores, `data.js` or an external JSON file.

A file of custom results holds no direction; the stored entries name the tool, which has one. The newest entry of each
suite is read: it is the baseline for the next run, and earlier entries are other commits.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_formats.errors import ImportFileError
from aether_formats.model import ImportedSeries
from aether_formats.reading.document import Document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_formats.model import ImportOptions
    from aether_schema import Better

ABOUT = "github-action-benchmark, custom results or its data.js"
SUFFIXES: tuple[str, ...] = (".json", "data.js")
_SCRIPT = re.compile(rb"\s*window\.BENCHMARK_DATA\s*=\s*")
_STORED = frozenset({"lastUpdate", "entries"})
#: For other tools the unit gives the direction: the action itself takes every result of JMH as lower is better.
_CUSTOM: dict[str, Better] = {"customBiggerIsBetter": "higher", "customSmallerIsBetter": "lower"}
#: The tools of which the action stores a mean, or the inverse of one.
_MEANS = frozenset({"benchmarkjs", "pytest", "googlecpp", "catch2", "jmh", "benchmarkdotnet"})


class _Result(Struct):
    name: str
    value: float | str
    unit: str
    range: str | float | None = None
    extra: str | None = None


class _Commit(Struct):
    id: str | None = None


class _Entry(Struct):
    benches: list[_Result]
    tool: str = ""
    date: float | None = None
    commit: _Commit | None = None


class _History(Struct):
    entries: dict[str, list[_Entry]]


def matches(document: Document) -> bool:
    """Return whether the first result has a name, a unit and a value, or it is a history of such results."""
    if {"name", "unit", "value"} <= document.first_object.keys() or document.keys.keys() >= _STORED:
        return True
    return document.head.lstrip().startswith("window.BENCHMARK_DATA")


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield the results as figures without samples."""
    del options
    if script := _SCRIPT.match(document.utf8):
        json = document.utf8[script.end() :].rstrip().removesuffix(b";")
        document = Document(document.path, json, modified_s=document.modified_s)
    if not document.keys:
        for index, result in enumerate(document.decode(list[_Result])):
            yield _series(result, _Entry(benches=[]), result.name, f"[{index}]")
        return
    newest = [(suite, entries[-1]) for suite, entries in document.decode(_History).entries.items() if entries]
    suites_with = Counter(name for _, entry in newest for name in {result.name for result in entry.benches})
    for suite, entry in newest:
        for index, result in enumerate(entry.benches):
            # A file of custom results, which may be compared with this, has the name alone.
            name = result.name if suites_with[result.name] == 1 else f"{suite} > {result.name}"
            yield _series(result, entry, name, f"entries.{suite}[-1].benches[{index}]")


def _series(result: _Result, entry: _Entry, name: str, place: str) -> ImportedSeries:
    try:
        value = float(result.value)
    except ValueError:
        raise ImportFileError(f"{str(result.value)[:40]!r} is no number", place=f"{place}.value") from None
    is_mean = entry.tool in _MEANS
    return ImportedSeries(
        name=name,
        unit=result.unit,
        p50=None if is_mean else value,
        mean=value if is_mean else None,
        better=_CUSTOM.get(entry.tool),
        timestamp=_time(entry.date),
        commit=None if entry.commit is None else entry.commit.id,
        notes=None if result.range is None else f"range {str(result.range)[:80]}",
    )


def _time(date_ms: float | None) -> str | None:
    try:
        return None if date_ms is None else datetime.fromtimestamp(date_ms / 1000, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None
