"""pytest-benchmark: `--benchmark-json`, `--benchmark-autosave`, in seconds. Autosaved and old files lack `data`."""

from __future__ import annotations

import math
import os
import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from aether_formats.errors import ImportFileError
from aether_formats.model import ImportedSeries
from aether_formats.reading.document import first_of, keys_of
from aether_formats.reading.thinning import thinned_length

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document

ABOUT = "pytest-benchmark JSON"
SUFFIXES: tuple[str, ...] = (".json",)
SAMPLES_KEY = "data"
STORAGE = ".benchmarks"
#: A stored file begins with its counter, of four digits or more.
_STORED = re.compile(r"(\d{4,})_.*\.json")
#: An object that JSON cannot hold is written as its repr, which often holds an address in memory.
_UNSERIALIZABLE = re.compile(r"UNSERIALIZABLE\[|<.* at 0x[0-9A-Fa-f]+", re.DOTALL)
_64_BITS = 2**63


class _Stats(Struct):
    median: float
    rounds: int
    data: tuple[float | str, ...] | None = None


class _Bench(Struct):
    fullname: str
    stats: _Stats
    params: Any = None


class _Report(Struct):
    benchmarks: list[_Bench]
    machine_info: dict[str, Any] = {}
    commit_info: dict[str, Any] | None = None
    datetime: str | None = None


def matches(document: Document) -> bool:
    """Return whether the first bench has the statistics that only this tool writes, or there is none at all."""
    benchmarks = document.keys.get("benchmarks")
    if benchmarks is None:
        return False
    if bytes(memoryview(benchmarks)[:2]) == b"[]":
        return {"machine_info", "commit_info", "version"} <= document.keys.keys()
    first = first_of(benchmarks)
    return "fullname" in first and "median" in keys_of(first.get("stats", b"0"))


def find_files(folder: str) -> list[str]:
    """Return the newest file, by its counter, of a storage folder or of the only machine folder in it.

    Raises:
        ImportProblem: there are results of several machines.

    """
    for place in (folder, os.path.join(folder, STORAGE)):
        if (newest := _newest(place)) is not None:
            return [newest]
        names = sorted(os.listdir(place)) if os.path.isdir(place) else ()
        stored = {name: newest for name in names if (newest := _newest(os.path.join(place, name))) is not None}
        if len(stored) > 1:
            raise ImportFileError(f"results of several machines: {', '.join(stored)}; name the folder of one")
        if stored:
            return list(stored.values())
    return []


def _newest(folder: str) -> str | None:
    """Return the file of a folder whose name begins with the largest counter, or None."""
    if not os.path.isdir(folder):
        return None
    found = [(int(match[1]), name) for name in os.listdir(folder) if (match := _STORED.fullmatch(name))]
    return os.path.join(folder, max(found)[1]) if found else None


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield a bench each; every round of one is a sample of the same process."""
    del options
    report = document.decode(_Report)
    commit = (report.commit_info or {}).get("id")
    for bench in report.benchmarks:
        samples, notes = _samples(bench.stats, is_thinned=document.is_thinned)
        yield ImportedSeries(
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


def _samples(stats: _Stats, *, is_thinned: bool) -> tuple[tuple[float, ...] | None, str | None]:
    """Return the samples where the file has them all, or was too large and has every second, fourth and so on.

    Any other part of the samples is no fair selection. A shortened file may hold a text among them, such as `"... 9,000
    more"`.
    """
    if stats.data is None:
        return None, None
    samples = tuple(value for value in stats.data if not isinstance(value, str))
    if len(samples) == stats.rounds:
        return samples, None
    if is_thinned and len(samples) == thinned_length(stats.rounds):
        return samples, f"{len(samples):,} of its {stats.rounds:,} rounds, evenly: the file is too large"
    return None, f"`data` does not hold the {stats.rounds:,} rounds of the run: its median stands"


def _params(params: object) -> dict[str, Any] | None:
    """Return the parameters that can be compared between two runs: JSON's scalars, and no address in memory."""
    if not isinstance(params, dict):
        return None
    return {key: value for key, value in params.items() if _is_comparable(value)}


def _is_comparable(value: object) -> bool:
    if isinstance(value, str):
        return _UNSERIALIZABLE.match(value) is None
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or (isinstance(value, int) and abs(value) < _64_BITS)


def _machine(info: dict[str, Any]) -> dict[str, Any]:
    """Return the fixed properties of the machine, without the present clock rate."""
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
