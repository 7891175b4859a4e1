"""BenchmarkDotNet: the JSON reports, full (with every measurement) or brief, in nanoseconds, and `*-report.csv`.

Jobs that run the same benchmark are distinguished by their settings, in `DisplayInfo` or in the columns of the CSV.
Allocated memory per operation is a bench of its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from aether_formats.errors import ImportFileError
from aether_formats.importers import benchmarkdotnet_csv
from aether_formats.model import Failures, ImportedSeries, environment_from
from aether_formats.reading.document import first_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document

ABOUT = "BenchmarkDotNet JSON, full or brief, and *-report.csv"
SUFFIXES: tuple[str, ...] = (".json",)
_FIXED = {
    "os": "OsVersion",
    "cpu_model": "ProcessorName",
    "cpus_logical": "LogicalCoreCount",
    "machine": "Architecture",
    "runtime": "RuntimeVersion",
    "build": "Configuration",
}
#: The job in a display info, `Type.Method: Job-ABCDEF(Settings) [parameters]`; a name that was made up is left out.
_MAX_INFO_LENGTH = 2000
_JOB = re.compile(r": (?:Job-[A-Z]{6}(?=\())?(?P<job>.*?)(?: \[[^]]*\])?", re.DOTALL)


class _Statistics(Struct, rename="pascal"):
    mean: float | str | None = None
    median: float | str | None = None
    n: int | None = None
    original_values: tuple[float, ...] | None = None
    percentiles: dict[str, float | str] | None = None


class _Measurement(Struct, rename="pascal"):
    iteration_mode: str = ""
    iteration_stage: str = ""
    launch_index: int = 1
    operations: float = 1
    nanoseconds: float = 0


class _Memory(Struct, rename="pascal"):
    bytes_allocated_per_operation: float | None = None


class _Bench(Struct, rename="pascal"):
    display_info: str | None = None
    full_name: str | None = None
    namespace: str | None = None
    type: str | None = None
    method: str | None = None
    parameters: str | None = None
    statistics: _Statistics | None = None
    measurements: list[_Measurement] | None = None
    memory: _Memory | None = None


class _Report(Struct, rename="pascal"):
    benchmarks: list[_Bench]
    host_environment_info: dict[str, Any] = {}


def matches(document: Document) -> bool:
    """Return whether the first benchmark has a method and statistics, written its way, or a table has its columns."""
    benchmarks = document.keys.get("Benchmarks")
    if benchmarks is not None:
        return {"Method", "Statistics"} <= first_of(benchmarks).keys()
    return benchmarkdotnet_csv.matches(document)


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield a benchmark each, a round a launch of its process. One that failed has no statistics."""
    del options
    if document.head.lstrip()[:1] != "{":
        yield from benchmarkdotnet_csv.read(document)
        return
    report = document.decode(_Report)
    environment = environment_from(report.host_environment_info, **_FIXED)
    jobs: dict[str, set[str]] = {}
    for bench in report.benchmarks:
        jobs.setdefault(_name(bench), set()).add(_job(bench))
    for bench in report.benchmarks:
        name = _name(bench)
        if len(jobs[name]) > 1:
            name = f"{name} [{_job(bench)}]"
        if bench.statistics is None:
            failures = Failures(failed=1, total=1, problem="the benchmark has no results")
            yield ImportedSeries(name=name, unit="ns", failures=failures)
            continue
        rounds = _rounds(bench, name)
        percentiles = bench.statistics.percentiles or {}
        yield ImportedSeries(
            name=name,
            unit="ns",
            rounds=rounds or None,
            p50=_number(bench.statistics.median),
            mean=_number(bench.statistics.mean),
            p95=_number(percentiles.get("P95")),
            n=max(1, bench.statistics.n or 1),
            environment=environment,
        )
        allocated = None if bench.memory is None else bench.memory.bytes_allocated_per_operation
        if allocated is not None:
            yield ImportedSeries(name=f"{name} allocated", unit="B/op", p50=allocated, environment=environment)


def _job(bench: _Bench) -> str:
    """Return the settings of the job that ran a benchmark."""
    info, method = (bench.display_info or "")[:_MAX_INFO_LENGTH], bench.method or ""
    found = _JOB.fullmatch(info, info.find(": ", info.find(method)) if ": " in info else len(info))
    return found["job"].removeprefix("(").removesuffix(")") if found else info


def _name(bench: _Bench) -> str:
    if bench.full_name:
        return bench.full_name
    name = ".".join(filter(None, (bench.namespace, bench.type, bench.method)))
    return f"{name}({bench.parameters})" if bench.parameters else name


def _rounds(bench: _Bench, name: str) -> tuple[tuple[float, ...], ...]:
    """Return the time of an operation in every measurement that the statistics are of."""
    launches: dict[int, list[float]] = {}
    for measured in bench.measurements or ():
        if (measured.iteration_mode, measured.iteration_stage) in {("Workload", "Result"), ("Result", "")}:
            if measured.operations <= 0:
                raise ImportFileError("a measurement of no operations", place=name)
            launches.setdefault(measured.launch_index, []).append(measured.nanoseconds / measured.operations)
    if launches:
        return tuple(tuple(values) for _, values in sorted(launches.items()))
    values = bench.statistics.original_values if bench.statistics else None
    return (values,) if values else ()


def _number(value: float | str | None) -> float | None:
    """Return a figure; one that could not be had is written as text."""
    return None if isinstance(value, str) else value
