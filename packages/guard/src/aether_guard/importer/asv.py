"""asv: a file of results, versions 1 and 2. Units stand in `benchmarks.json`, beside it or a folder further up.

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

from aether_guard.importer.problem import ImportProblem
from aether_guard.importer.series import Series, fixed_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_guard.importer.document import Document
    from aether_guard.importer.series import Wishes
    from aether_schema import Better

ABOUT = "a results file of asv, versions 1 and 2"
SUFFIXES: tuple[str, ...] = (".json",)
#: What asv itself takes from the name of a function; only `track_` may have any unit.
_KINDS = {"time": "seconds", "timeraw": "seconds", "mem": "bytes", "peakmem": "bytes"}
_FIXED = {"os": "os", "machine": "arch", "cpu_model": "cpu", "host": "machine", "python": "python"}
COMBINATIONS_LIMIT = 1_000_000


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
    """What one benchmark has: a value, the parameters, and the samples of each combination."""

    result: list[float | None] | float | None = None
    params: tuple[tuple[str, ...], ...] = ()
    samples: list[tuple[float, ...] | None] | None = None
    started_at: float | None = None


def recognises(document: Document) -> bool:
    """Return whether there are results of a commit, of a machine."""
    return {"results", "commit_hash", "params"} <= document.keys.keys()


def read(document: Document, wishes: Wishes) -> Iterator[Series]:
    """Yield a bench for each combination of parameters that has a figure."""
    del wishes
    report = document.decode(_Results)
    if report.version not in {1, 2}:
        raise ImportProblem(f"{report.version} is a version not known; 1 and 2 are", place="version")
    described = _described(document)
    for name, row in report.results.items():
        figures = _figures(report, name, row)
        unit = _unit(name, described.get(name))
        better: Better | None = "lower" if unit == "bytes" else None
        values = figures.result if isinstance(figures.result, list) else [figures.result]
        samples = figures.samples or []
        for index, (value, combination) in enumerate(zip(values, _combinations(figures, name), strict=False)):
            if value is None or math.isnan(value):
                continue
            kept = samples[index] if index < len(samples) else None
            yield Series(
                name=name + combination,
                unit="B" if unit == "bytes" else unit,
                better=better,
                rounds=(kept,) if kept else None,
                p50=value,
                environment=fixed_of(report.params, **_FIXED),
                timestamp=_moment(figures.started_at or report.date),
                commit=report.commit_hash,
            )


def _figures(report: _Results, name: str, row: object) -> _Figures:
    """Return what a benchmark has, from a row of columns, from a table, or from the value alone."""
    if isinstance(row, list):
        if not report.result_columns:
            raise ImportProblem("a row, and no result_columns say what stands in it", place=f"results.{name}")
        row = dict(zip(report.result_columns, row, strict=False))
    if not isinstance(row, dict):
        row = {"result": row}
    known = {key: value for key, value in row.items() if value is not None and key in _Figures.__struct_fields__}
    try:
        return msgspec.convert(known, _Figures, strict=True)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `$")
        where = f"results.{name}{place.removesuffix('`')}"
        raise ImportProblem(problem[:1].lower() + problem[1:], place=where) from None


def _combinations(figures: _Figures, name: str) -> Iterator[str]:
    """Yield how asv writes each combination behind a name: `(10, 'up')`, the last parameter changing fastest."""
    if not figures.params or not isinstance(figures.result, list):
        yield ""
        return
    if math.prod(map(len, figures.params)) > COMBINATIONS_LIMIT:
        raise ImportProblem(f"more than {COMBINATIONS_LIMIT:,} combinations of parameters", place=f"results.{name}")
    for combination in itertools.product(*figures.params):
        yield f"({', '.join(combination)})"


def _described(document: Document) -> dict[str, _Described]:
    """Return what the nearest `benchmarks.json` says of each benchmark."""
    for name in ("benchmarks.json", os.path.join("..", "benchmarks.json"), os.path.join("..", "..", "benchmarks.json")):
        try:
            beside = document.beside(name)
        except ImportProblem as problem:
            raise ImportProblem(str(problem), place=name) from None
        if beside is None:
            continue
        tables = beside.decode(dict[str, Any])
        return {
            key: _Described(unit=table.get("unit"), type=table.get("type"))
            for key, table in tables.items()
            if isinstance(table, dict)
        }
    return {}


def _unit(name: str, described: _Described | None) -> str:
    if described is not None and isinstance(described.unit, str):
        return described.unit
    function = name.partition("(")[0].rpartition(".")[2]
    return _KINDS.get(function.partition("_")[0].lower(), "unit")


def _moment(milliseconds: float | None) -> str | None:
    try:
        return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None
