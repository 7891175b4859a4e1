"""BenchmarkDotNet's CSV table, `*-report.csv`: one mean per row, with its unit in the cell or in the header."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from aether_formats.errors import ImportFileError
from aether_formats.model import Failures, ImportedSeries, name_with_params
from aether_formats.reading.csv_rows import delimiter_of, rows_of
from aether_formats.reading.xml import number_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aether_formats.reading.document import Document

_JOB_COLUMNS = """
Job AnalyzeLaunchVariance EvaluateOverhead MaxAbsoluteError MaxRelativeError MinInvokeCount MinIterationTime OutlierMode
Affinity EnvironmentVariables Jit LargeAddressAware Platform PowerPlanMode Runtime AllowVeryLargeObjects Concurrent
CpuGroups Force HeapAffinitizeMask HeapCount NoAffinitize RetainVm Server Arguments BuildConfiguration Clock
EngineFactory NuGetReferences Toolchain IsMutator InvocationCount IterationCount IterationTime LaunchCount
MaxIterationCount MaxWarmupIterationCount MemoryRandomization MinIterationCount MinWarmupIterationCount RunStrategy
UnrollFactor WarmupCount
"""
_JOBS = frozenset(_JOB_COLUMNS.split())
_PLACES = ("Namespace", "Type", "Method")
_OTHERS = {"Description", "Categories", "Logical Group", "Baseline"}
#: The notations of a missing result.
_NONE = {"NA", "N/A", "?", ""}
#: BenchmarkDotNet's units of memory are powers of two.
_BYTES = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}
_HEADED = re.compile(r"(?P<name>.+) \[(?P<unit>[^\]]+)\]")
_FILE = re.compile(r"(?P<type>(?:[A-Z]|\w+\.)[\w.+`-]*)-report\.csv")


def matches(document: Document) -> bool:
    """Return whether the header has a method, a mean, and an error or standard deviation."""
    header = document.head.partition("\n")[0]
    names = {_headed(name.strip().strip('"'))[0] for name in header.split(delimiter_of(document))}
    return {"Method", "Mean"} <= names and bool(names & {"Error", "StdDev"})


def read(document: Document) -> Iterator[ImportedSeries]:
    """Yield the mean of each row, and its allocated bytes per operation."""
    rows = [(line, _cells(cells)) for line, cells in rows_of(document, ["Method"])]
    for line, cells in rows:
        if "Mean" not in cells:
            raise ImportFileError("no column 'Mean'", place=f"line {line}")
    file = _FILE.fullmatch(os.path.basename(document.path))
    named: dict[str, list[tuple[int, dict[str, tuple[str, str]]]]] = {}
    for line, cells in rows:
        named.setdefault(_name(cells, "" if file is None else file["type"]), []).append((line, cells))
    for name, same in named.items():
        keys = _differing([cells for _, cells in same])
        for line, cells in same:
            yield from _series(name_with_params(name, {key: cells[key][0] for key in keys}), cells, line)


def _series(name: str, cells: dict[str, tuple[str, str]], line: int) -> Iterator[ImportedSeries]:
    mean = _figure(cells["Mean"], place=f"line {line}, column Mean")
    if mean is None:
        failures = Failures(failed=1, total=1, problem="the benchmark has no results")
        yield ImportedSeries(name=name, unit="ns", failures=failures)
        return
    value, unit = mean
    high = _figure(cells["P95"], place=f"line {line}, column P95") if "P95" in cells else None
    # The unit is chosen per cell, so the two may differ.
    p95 = high[0] if high is not None and high[1] == unit else None
    yield ImportedSeries(name=name, unit=unit, mean=value, p95=p95)
    if "Allocated" in cells:
        text, unit = cells["Allocated"]
        allocated = _figure(("0 B" if text == "-" else text, unit), place=f"line {line}, column Allocated")
        if allocated is not None:
            yield ImportedSeries(name=f"{name} allocated", unit="B/op", p50=allocated[0] * _BYTES.get(allocated[1], 1))


def _figure(cell: tuple[str, str], place: str) -> tuple[float, str] | None:
    text, unit = cell
    if text in _NONE:
        return None
    number, _, own_unit = text.replace("\xa0", " ").partition(" ")
    if not (own_unit or unit):
        raise ImportFileError(f"{text[:40]!r} has no unit", place=place)
    return number_of(number, place=place), own_unit.strip() or unit


def _name(cells: dict[str, tuple[str, str]], type_name: str) -> str:
    """Return the name that the JSON reports use: type, method and parameters."""
    places = [cells[key][0] for key in _PLACES if key in cells]
    if "Type" not in cells and type_name:
        places.insert(0, type_name)
    names = list(cells)
    columns = names[: names.index("Mean")]
    values = [f"{key}: {cells[key][0]}" for key in columns if key not in _JOBS | _OTHERS | set(_PLACES)]
    return ".".join(places) + (f"({', '.join(values)})" if values else "")


def _differing(rows: Sequence[dict[str, tuple[str, str]]]) -> list[str]:
    """Return the job columns in which rows of one name differ; the generated `Job` only if no other column does."""
    keys = [key for key in rows[0] if key in _JOBS and len({row.get(key, ("", ""))[0] for row in rows}) > 1]
    others = [key for key in keys if key != "Job"]
    return others or keys


def _cells(row: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return the cells by column name, each with the unit from the header."""
    found: dict[str, Any] = {}
    for header, text in row.items():
        name, unit = _headed(header)
        found.setdefault(name, (text.strip(), unit))
    return found


def _headed(header: str) -> tuple[str, str]:
    found = _HEADED.fullmatch(header)
    return (found["name"], found["unit"]) if found else (header, "")
