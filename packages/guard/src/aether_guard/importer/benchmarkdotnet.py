"""BenchmarkDotNet: the JSON reports, full (with every measurement) or brief, in nanoseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from aether_guard.importer.document import first_of
from aether_guard.importer.problem import ImportProblem
from aether_guard.importer.series import Series, fixed_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_guard.importer.document import Document
    from aether_guard.importer.series import Wishes

ABOUT = "BenchmarkDotNet JSON, full or brief"
SUFFIXES: tuple[str, ...] = (".json",)
_FIXED = {
    "os": "OsVersion",
    "cpu_model": "ProcessorName",
    "cpus_logical": "LogicalCoreCount",
    "machine": "Architecture",
    "runtime": "RuntimeVersion",
    "build": "Configuration",
}


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


class _Bench(Struct, rename="pascal"):
    full_name: str | None = None
    namespace: str | None = None
    type: str | None = None
    method: str | None = None
    parameters: str | None = None
    statistics: _Statistics | None = None
    measurements: list[_Measurement] | None = None


class _Report(Struct, rename="pascal"):
    benchmarks: list[_Bench]
    host_environment_info: dict[str, Any] = {}


def recognises(document: Document) -> bool:
    """Return whether the first benchmark has a method and statistics, written its way."""
    benchmarks = document.keys.get("Benchmarks")
    return benchmarks is not None and {"Method", "Statistics"} <= first_of(benchmarks).keys()


def read(document: Document, wishes: Wishes) -> Iterator[Series]:
    """Yield a benchmark each, a round a launch of its process. One that failed has no statistics, and is left out."""
    del wishes
    report = document.decode(_Report)
    for bench in report.benchmarks:
        if bench.statistics is None:
            continue
        name = _name(bench)
        rounds = _rounds(bench, name)
        percentiles = bench.statistics.percentiles or {}
        median = _number(bench.statistics.median)
        yield Series(
            name=name,
            unit="ns",
            rounds=rounds or None,
            p50=_number(bench.statistics.mean) if median is None else median,
            p95=_number(percentiles.get("P95")),
            n=max(1, bench.statistics.n or 1),
            environment=fixed_of(report.host_environment_info, **_FIXED),
        )


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
                raise ImportProblem("a measurement of no operations", place=name)
            launches.setdefault(measured.launch_index, []).append(measured.nanoseconds / measured.operations)
    if launches:
        return tuple(tuple(values) for _, values in sorted(launches.items()))
    values = bench.statistics.original_values if bench.statistics else None
    return (values,) if values else ()


def _number(value: float | str | None) -> float | None:
    """Return a figure; one that could not be had is written as text."""
    return None if isinstance(value, str) else value
