"""asv: a results file, versions 1 and 2. Its units are in `benchmarks.json`, in the same folder or a parent folder.

A combination of parameters that failed is null and one that was skipped is NaN: neither is a figure. Trailing columns
and combinations that hold nothing are cut off in version 2.
"""

from __future__ import annotations

import itertools
import math
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from aether_formats.errors import ImportFileError
from aether_formats.model import ImportedSeries, environment_from
from aether_formats.reading.document import read_document
from aether_schema import Interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document
    from aether_schema import Better

ABOUT = "a results file of asv, versions 1 and 2"
SUFFIXES: tuple[str, ...] = (".json",)
#: The kinds that asv derives from the name of a function; only `track_` may have any unit.
_KINDS = {"time": "seconds", "timeraw": "seconds", "mem": "bytes", "peakmem": "bytes"}
_FIXED = {"os": "os", "machine": "arch", "cpu_model": "cpu", "host": "machine", "python": "python"}
COMBINATIONS_LIMIT = 1_000_000
MACHINE = "machine.json"
BENCHMARKS = "benchmarks.json"


class _Results(Struct):
    results: dict[str, Any]
    version: int = 1
    result_columns: tuple[str, ...] = ()
    commit_hash: str | None = None
    date: float | None = None
    params: dict[str, Any] = {}


class _Described(Struct):
    unit: str | None = None
    type: str | None = None


class _Figures(Struct):
    """The figures of one benchmark: a value, the parameters, and the samples of each combination."""

    result: list[float | None] | float | None = None
    params: tuple[tuple[str, ...], ...] = ()
    samples: list[tuple[float, ...] | None] | None = None
    stats_ci_99_a: list[float | None] | None = None
    stats_ci_99_b: list[float | None] | None = None
    started_at: float | None = None


def matches(document: Document) -> bool:
    """Return whether there are results of a commit, of a machine."""
    return {"results", "commit_hash", "params"} <= document.keys.keys()


def find_files(folder: str) -> list[str]:
    """Return the results of the newest commit in the folder of a machine, or of the only machine in a results folder.

    Raises:
        ImportProblem: there are several machines, or several environments of that commit.

    """
    machines = [folder] if os.path.isfile(os.path.join(folder, MACHINE)) else _machines(folder)
    if len(machines) > 1:
        names = ", ".join(map(os.path.basename, machines))
        raise ImportFileError(f"results of several machines: {names}; name the folder of one")
    newest: list[str] = []
    latest = -math.inf
    for name in sorted(os.listdir(machines[0])) if machines else ():
        path = os.path.join(machines[0], name)
        if name.endswith(".json") and name not in {MACHINE, BENCHMARKS} and os.path.isfile(path):
            date = _commit_date(path)
            if date > latest:
                newest, latest = [], date
            newest += [path] if date == latest else []
    if len(newest) > 1:
        names = ", ".join(map(os.path.basename, newest))
        raise ImportFileError(f"results of several environments: {names}; name one")
    return newest


def _machines(folder: str) -> list[str]:
    paths = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    return [path for path in paths if os.path.isfile(os.path.join(path, MACHINE))]


def _commit_date(path: str) -> float:
    """Return the time of the measured commit; a file without it counts as the oldest."""
    date = read_document(path).keys.get("date")
    try:
        return -1.0 if date is None else float(bytes(date))
    except ValueError:
        return -1.0


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield a bench for each combination of parameters that has a figure."""
    del options
    report = document.decode(_Results)
    if report.version not in {1, 2}:
        raise ImportFileError(f"{report.version} is a version not known; 1 and 2 are", place="version")
    described = _described(document)
    for name, row in report.results.items():
        figures = _figures(report, name, row)
        unit = _unit(name, described.get(name))
        # asv treats any growth as worse.
        better: Better | None = "lower" if unit == "bytes" or _is_tracked(name, described.get(name)) else None
        values = figures.result if isinstance(figures.result, list) else [figures.result]
        samples = figures.samples or []
        for index, (value, combination) in enumerate(zip(values, _combinations(figures, name), strict=False)):
            if value is None or math.isnan(value):
                continue
            kept = samples[index] if index < len(samples) else None
            yield ImportedSeries(
                name=name + combination,
                unit="B" if unit == "bytes" else unit,
                better=better,
                rounds=(kept,) if kept else None,
                p50=value,
                interval=_interval(figures, index),
                environment=environment_from(report.params, **_FIXED),
                timestamp=_moment(figures.started_at or report.date),
                commit=report.commit_hash,
            )


def _figures(report: _Results, name: str, row: object) -> _Figures:
    """Return the figures of a benchmark, from a row of columns, from a table, or from the value alone."""
    if isinstance(row, list):
        if not report.result_columns:
            raise ImportFileError("a row, and there are no result_columns for it", place=f"results.{name}")
        row = dict(zip(report.result_columns, row, strict=False))
    if not isinstance(row, dict):
        row = {"result": row}
    known = {key: value for key, value in row.items() if value is not None and key in _Figures.__struct_fields__}
    try:
        return msgspec.convert(known, _Figures, strict=True)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `$")
        where = f"results.{name}{place.removesuffix('`')}"
        raise ImportFileError(problem[:1].lower() + problem[1:], place=where) from None


def _interval(figures: _Figures, index: int) -> Interval | None:
    """Return asv's own interval of one combination, which it computes where it repeats a benchmark."""
    low, high = (
        bounds[index] if bounds is not None and index < len(bounds) else None
        for bounds in (figures.stats_ci_99_a, figures.stats_ci_99_b)
    )
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return None
    return Interval(level=0.99, low=low, high=high)


def _combinations(figures: _Figures, name: str) -> Iterator[str]:
    """Yield how asv writes each combination behind a name: `(10, 'up')`, the last parameter changing fastest."""
    if not figures.params or not isinstance(figures.result, list):
        yield ""
        return
    if math.prod(map(len, figures.params)) > COMBINATIONS_LIMIT:
        raise ImportFileError(f"more than {COMBINATIONS_LIMIT:,} combinations of parameters", place=f"results.{name}")
    for combination in itertools.product(*figures.params):
        yield f"({', '.join(combination)})"


def _described(document: Document) -> dict[str, _Described]:
    """Return the descriptions of benchmarks in the nearest `benchmarks.json`."""
    for name in (BENCHMARKS, os.path.join("..", BENCHMARKS), os.path.join("..", "..", BENCHMARKS)):
        try:
            beside = document.sibling(name)
        except ImportFileError as problem:
            raise ImportFileError(str(problem), place=name) from None
        if beside is None:
            continue
        tables = beside.decode(dict[str, Any])
        return {
            key: _Described(unit=table.get("unit"), type=table.get("type"))
            for key, table in tables.items()
            if isinstance(table, dict)
        }
    return {}


def _is_tracked(name: str, described: _Described | None) -> bool:
    return (described is not None and described.type == "track") or _kind(name) == "track"


def _kind(name: str) -> str:
    return name.partition("(")[0].rpartition(".")[2].partition("_")[0].lower()


def _unit(name: str, described: _Described | None) -> str:
    if described is not None and isinstance(described.unit, str):
        return described.unit
    return _KINDS.get(_kind(name), "unit")


def _moment(milliseconds: float | None) -> str | None:
    try:
        return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None
