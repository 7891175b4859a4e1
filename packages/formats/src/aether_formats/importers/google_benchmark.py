"""google-benchmark: `--benchmark_format=json`. Repetitions are samples; a report of aggregates alone has their median.

A benchmark has its name for real time, and `cpu_time` appended for CPU time. A benchmark that asks for real or manual
time has no CPU time here, because its work is done elsewhere. Counters are not judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from aether_formats.errors import ImportFileError
from aether_formats.model import Failures, ImportedSeries, environment_from
from aether_formats.reading.document import first_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document

ABOUT = "google-benchmark JSON: real and CPU time"
SUFFIXES: tuple[str, ...] = (".json",)
_MIDDLES = ("median", "mean")
#: How releases without `run_type` call their aggregates.
_AGGREGATES = (*_MIDDLES, "stddev", "cv")
_FITS = ("_BigO", "_RMS")
#: Parts of the name of a benchmark whose CPU time is not of its work.
_WITHOUT_CPU = {"real_time", "manual_time"}


class _Run(Struct):
    name: str
    run_name: str | None = None
    run_type: str | None = None
    aggregate_name: str | None = None
    real_time: float | None = None
    cpu_time: float | None = None
    time_unit: str = "ns"
    error_occurred: bool = False
    error_message: str = ""
    skipped: bool = False
    skip_message: str = ""
    repetitions: int = 1
    big_o: str | None = None
    rms: float | None = None


class _Report(Struct):
    benchmarks: list[_Run]
    context: dict[str, Any] = {}


class _Bench(Struct):
    """The repetitions of a benchmark, and its aggregates by their names."""

    runs: list[_Run] = []
    aggregates: dict[str, _Run] = {}


def matches(document: Document) -> bool:
    """Return whether there is a context, and the first run has times or a run type."""
    benchmarks = document.keys.get("benchmarks")
    if benchmarks is None or "context" not in document.keys:
        return False
    first = first_of(benchmarks)
    return "name" in first and bool({"real_time", "run_type", "error_occurred", "iterations"} & first.keys())


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield the real time of each benchmark, and its CPU time."""
    del options
    report = document.decode(_Report)
    benches: dict[str, _Bench] = {}
    names = {run.name for run in report.benchmarks}
    for run in report.benchmarks:
        if _is_fit(run):
            continue
        stem, aggregate = _aggregate(run, names)
        bench = benches.setdefault(stem, _Bench())
        if aggregate is None:
            bench.runs.append(run)
        else:
            bench.aggregates[aggregate] = run
    date = report.context.get("date")
    timestamp = date if isinstance(date, str) else None
    machine = environment_from(report.context, cpus_logical="num_cpus", build="library_build_type")
    for name, bench in benches.items():
        common: dict[str, Any] = {"environment": machine, "timestamp": timestamp}
        yield from _of_runs(name, bench.runs, common) if bench.runs else _of_aggregates(name, bench, common)


def _of_runs(name: str, runs: Sequence[_Run], common: dict[str, Any]) -> Iterator[ImportedSeries]:
    measured = [run for run in runs if not (run.error_occurred or run.skipped)]
    failed = [run for run in runs if run.error_occurred]
    if failed:
        message = f": {failed[0].error_message}" if failed[0].error_message else ""
        problem = f"{len(failed)} of {len(runs)} runs failed{message}"
        common["failures"] = Failures(failed=len(failed), total=len(runs), problem=problem)
    elif not measured:
        message = runs[0].skip_message
        common["skipped"] = f"skipped: {message}" if message else "skipped"
    if not measured:
        yield ImportedSeries(name=name, unit=runs[0].time_unit, **common)
        return
    units = {run.time_unit for run in measured}
    real = [run.real_time for run in measured if run.real_time is not None]
    if len(units) > 1 or len(real) < len(measured):
        raise ImportFileError("its repetitions are not all times in one unit", place=name)
    unit = units.pop()
    yield ImportedSeries(name=name, unit=unit, rounds=(tuple(real),), **common)
    cpu = [run.cpu_time for run in measured if run.cpu_time is not None]
    common.pop("failures", None)  # named once
    if _has_cpu_time(name) and len(cpu) == len(measured) and any(cpu):
        yield ImportedSeries(name=f"{name} cpu_time", unit=unit, rounds=(tuple(cpu),), **common)


def _of_aggregates(name: str, bench: _Bench, common: dict[str, Any]) -> Iterator[ImportedSeries]:
    """Yield the median, or of releases that had none the mean; deviations alone are no figures."""
    middle = next((key for key in _MIDDLES if key in bench.aggregates), None)
    if middle is None:
        return
    run = bench.aggregates[middle]
    for suffix, time in (("", run.real_time), (" cpu_time", run.cpu_time)):
        if time is not None and (not suffix or (time and _has_cpu_time(name))):
            figure: dict[str, Any] = {"p50" if middle == "median" else "mean": time}
            n = max(1, run.repetitions)
            yield ImportedSeries(name=name + suffix, unit=run.time_unit, n=n, **figure, **common)


def _has_cpu_time(name: str) -> bool:
    """Return whether the CPU time is of the work: a clock too coarse for it writes 0, which is left out too."""
    return not _WITHOUT_CPU & set(name.split("/"))


def _is_fit(run: _Run) -> bool:
    """Return whether a run is a fit to the complexity of several runs."""
    return run.big_o is not None or run.rms is not None or (run.run_type is None and run.name.endswith(_FITS))


def _aggregate(run: _Run, names: set[str]) -> tuple[str, str | None]:
    """Return the name of a run's benchmark, and of which aggregate it is, if it is one."""
    if run.run_type is not None:
        return run.run_name or run.name, (run.aggregate_name or "") if run.run_type == "aggregate" else None
    stem, _, end = run.name.rpartition("_")
    # If repetitions are left out, the mean always comes with its deviation.
    if end in _AGGREGATES and (stem in names or {f"{stem}_mean", f"{stem}_stddev"} <= names):
        return stem, end
    return run.run_name or run.name, None
