"""pytest-benchmark: `--benchmark-json`, `--benchmark-autosave`, in seconds. Old files lack `data`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from aether_guard.importer.document import decode_json, first_of, keys_of
from aether_guard.importer.problem import ImportProblem
from aether_guard.importer.series import Series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_guard.importer.document import Document
    from aether_guard.importer.series import Wishes

ABOUT = "pytest-benchmark JSON"
SUFFIXES: tuple[str, ...] = (".json",)


class _Stats(Struct):
    median: float
    rounds: int
    data: msgspec.Raw = msgspec.Raw(b"null")
    iterations: int | None = None


class _Bench(Struct):
    fullname: str
    stats: _Stats
    params: Any = None


class _Report(Struct):
    benchmarks: list[_Bench]
    machine_info: dict[str, Any] = {}
    commit_info: dict[str, Any] | None = None
    datetime: str | None = None


def recognises(document: Document) -> bool:
    """Return whether the first bench has the statistics that only this tool writes."""
    benchmarks = document.keys.get("benchmarks")
    if benchmarks is None:
        return False
    first = first_of(benchmarks)
    return "fullname" in first and "median" in keys_of(first.get("stats", b"0"))


def read(document: Document, wishes: Wishes) -> Iterator[Series]:
    """Yield a bench each; every round of one is a sample of the same process."""
    del wishes
    report = document.decode(_Report)
    commit = (report.commit_info or {}).get("id")
    for bench in report.benchmarks:
        samples, notes = _samples(bench)
        yield Series(
            name=bench.fullname,
            unit="s",
            rounds=None if samples is None else (samples,),
            p50=bench.stats.median,
            n=max(1, bench.stats.rounds),
            params=_params(bench.params),
            environment=_machine(report.machine_info),
            timestamp=report.datetime,
            commit=commit if isinstance(commit, str) else None,
            notes=notes,
        )


def _samples(bench: _Bench) -> tuple[tuple[float, ...] | None, str | None]:
    """Return the samples where the file has them all. A part of them is no fair sample of the run."""
    stats = bench.stats
    if bytes(stats.data[:4] if isinstance(stats.data, bytes) else memoryview(stats.data)[:4]) == b"null":
        return None, None
    try:
        samples = decode_json(stats.data, tuple[float, ...])
    except ImportProblem:
        samples = ()
    if len(samples) == stats.rounds:
        return samples, None
    return None, f"`data` does not hold the {stats.rounds:,} rounds of the run: its median stands"


def _params(params: object) -> dict[str, Any] | None:
    if not isinstance(params, dict):
        return None
    return {key: value for key, value in params.items() if isinstance(value, (str, int, float, bool, type(None)))}


def _machine(info: dict[str, Any]) -> dict[str, Any]:
    """Return what is fixed about the machine; the clock that it ran at just then is not."""
    cpu = info.get("cpu")
    model = cpu.get("brand_raw") or cpu.get("brand") if isinstance(cpu, dict) else None
    known = {
        "os": info.get("system"),
        "machine": info.get("machine"),
        "cpu_model": model,
        "python": info.get("python_version"),
        "python_implementation": info.get("python_implementation"),
    }
    return {key: value for key, value in known.items() if isinstance(value, str) and value}
