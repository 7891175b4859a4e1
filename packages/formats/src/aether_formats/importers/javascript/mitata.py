"""mitata: `run({ format: 'json' })`, or `run({ json: true })` before release 1, in nanoseconds.

The samples are sorted and lack the two lowest and the two highest, which mitata leaves out. Files written with
`format: { json: { samples: false } }` have the median.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from aether_formats.model import Failures, ImportedSeries
from aether_formats.reading.document import first_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document

ABOUT = "mitata JSON"
SUFFIXES: tuple[str, ...] = (".json",)
_NODE = "node"


class _Stats(Struct):
    samples: tuple[float, ...] | None = None
    p50: float | None = None
    avg: float | None = None
    ticks: int | None = None


class _Run(Struct):
    name: str
    stats: _Stats | None = None
    error: Any = None


class _Group(Struct):
    name: str | None = None


class _Bench(Struct):
    """A benchmark of release 1, with a run for each of its arguments, or of an earlier one, which is its only run."""

    group: int | str | None = None
    runs: list[_Run] | None = None
    name: str = ""
    stats: _Stats | None = None
    error: Any = None


class _Cpu(Struct):
    name: str | None = None


class _Context(Struct):
    arch: str | None = None
    version: str | None = None
    runtime: str | None = None
    cpu: _Cpu | None = None


class _Report(Struct):
    benchmarks: list[_Bench]
    layout: list[_Group] = []
    context: _Context | None = None
    cpu: str | None = None
    runtime: str | None = None


def matches(document: Document) -> bool:
    """Return whether the first benchmark has the keys of its trials."""
    if "benchmarks" not in document.keys:
        return False
    first = first_of(document.keys["benchmarks"]).keys()
    return {"alias", "runs", "baseline"} <= first or {"name", "group", "baseline", "warmup"} <= first


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield the runs, each named by its group and itself."""
    del options
    report = document.decode(_Report)
    environment = _environment(report)
    for bench in report.benchmarks:
        group = bench.group
        if isinstance(group, int):
            group = report.layout[group].name if 0 <= group < len(report.layout) else None
        runs = [_Run(bench.name, bench.stats, bench.error)] if bench.runs is None else bench.runs
        for run in runs:
            stats = run.stats or _Stats()
            yield ImportedSeries(
                name=" > ".join(filter(None, (group, run.name))),
                unit="ns",
                rounds=(stats.samples,) if stats.samples else None,
                p50=stats.p50,
                mean=stats.avg,
                n=max(1, stats.ticks or 1),
                environment=environment,
                failures=_failures(run),
            )


def _failures(run: _Run) -> Failures | None:
    if run.stats is not None and run.error is None:
        return None
    message = run.error.get("message") if isinstance(run.error, dict) else run.error
    text = f": {message[:160]}" if isinstance(message, str) and message else ""
    return Failures(failed=1, total=1, problem=f"the benchmark failed{text}")


def _environment(report: _Report) -> dict[str, Any] | None:
    context = report.context
    if context is None:
        # The runtime, its version and the machine: node v20.20.2 (x64-linux).
        name, _, rest = (report.runtime or "").partition(" ")
        version, _, machine = rest.rstrip(")").partition(" (")
        context = _Context(arch=machine, version=version.removeprefix("v"), runtime=name, cpu=_Cpu(report.cpu))
    found = {"cpu_model": context.cpu and context.cpu.name, "machine": context.arch}
    if context.runtime and context.version:
        is_node = context.runtime == _NODE
        found |= {_NODE: context.version} if is_node else {"runtime": f"{context.runtime} {context.version}"}
    return {key: value for key, value in found.items() if value} or None
