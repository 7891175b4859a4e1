"""google-benchmark: `--benchmark_format=json`. Repetitions are samples; aggregates and failed runs are left out."""

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

ABOUT = "google-benchmark JSON"
SUFFIXES: tuple[str, ...] = (".json",)
#: How releases without `run_type` call their aggregates.
_AGGREGATES = ("_mean", "_median", "_stddev", "_cv")
_FITS = ("_BigO", "_RMS")


class _Run(Struct):
    name: str
    run_name: str | None = None
    run_type: str | None = None
    aggregate_name: str | None = None
    real_time: float | None = None
    time_unit: str = "ns"
    error_occurred: bool = False
    skipped: bool = False
    repetitions: int = 1
    big_o: str | None = None
    rms: float | None = None


class _Report(Struct):
    benchmarks: list[_Run]
    context: dict[str, Any] = {}


def recognises(document: Document) -> bool:
    """Return whether there is a context, and the first run has times or says what kind of run it is."""
    benchmarks = document.keys.get("benchmarks")
    if benchmarks is None or "context" not in document.keys:
        return False
    first = first_of(benchmarks)
    return "name" in first and bool({"real_time", "run_type", "error_occurred", "iterations"} & first.keys())


def read(document: Document, wishes: Wishes) -> Iterator[Series]:
    """Yield a bench each, of its real time; of reports of aggregates alone, the median."""
    del wishes
    report = document.decode(_Report)
    runs: dict[str, list[_Run]] = {}
    aggregates: dict[str, list[_Run]] = {}
    names = {run.name for run in report.benchmarks}
    for run in report.benchmarks:
        name = run.run_name or run.name
        if run.error_occurred or run.skipped or _is_fit(run):
            continue
        if run.run_type == "aggregate" or (run.run_type is None and _is_old_aggregate(run.name, names)):
            aggregates.setdefault(name, []).append(run)
        else:
            runs.setdefault(name, []).append(run)
    date = report.context.get("date")
    timestamp = date if isinstance(date, str) else None
    machine = fixed_of(report.context, cpus_logical="num_cpus", build="library_build_type")
    common: dict[str, Any] = {"environment": machine, "timestamp": timestamp}
    for name, repeated in runs.items():
        units = {run.time_unit for run in repeated}
        times = [run.real_time for run in repeated if run.real_time is not None]
        if len(units) > 1 or len(times) < len(repeated):
            raise ImportProblem("its repetitions are not all times in one unit", place=name)
        yield Series(name=name, unit=units.pop(), rounds=(tuple(times),), **common)
    for name, lines in aggregates.items():
        middle = next((run for run in lines if run.aggregate_name == "median" and run.real_time is not None), None)
        if name not in runs and middle is not None:
            n = max(1, middle.repetitions)
            yield Series(name=name, unit=middle.time_unit, p50=middle.real_time, n=n, **common)


def _is_fit(run: _Run) -> bool:
    """Return whether it is what was fitted to the complexity of several runs."""
    return run.big_o is not None or run.rms is not None or (run.run_type is None and run.name.endswith(_FITS))


def _is_old_aggregate(name: str, names: set[str]) -> bool:
    return any(name.endswith(end) and name.removesuffix(end) in names for end in _AGGREGATES)
