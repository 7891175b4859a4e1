"""pyperf: a suite of benchmarks, each of runs (processes) with values per loop; also in gzip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from aether_formats.errors import ImportFileError
from aether_formats.model import ImportedSeries, environment_from
from aether_formats.reading.document import first_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document
    from aether_schema import Better

ABOUT = "pyperf JSON, plain or gzip"
SUFFIXES: tuple[str, ...] = (".json", ".json.gz")
#: pyperf's own units. Bytes mean memory; an integer may be anything.
_UNITS: dict[str, tuple[str, Better | None]] = {"second": ("s", None), "byte": ("B", "lower")}
#: The fixed properties of a machine, by pyperf's names.
_FIXED = {
    "cpu_model": "cpu_model_name",
    "cpus_logical": "cpu_count",
    "platform": "platform",
    "python": "python_version",
    "python_implementation": "python_implementation",
}


class _Run(Struct):
    values: tuple[float, ...] = ()
    metadata: dict[str, Any] = {}


class _Bench(Struct):
    runs: list[_Run]
    metadata: dict[str, Any] = {}


class _Suite(Struct):
    benchmarks: list[_Bench]
    metadata: dict[str, Any] = {}


def matches(document: Document) -> bool:
    """Return whether the first benchmark is made of runs, without a name of its own."""
    benchmarks = document.keys.get("benchmarks")
    first = {} if benchmarks is None else first_of(benchmarks)
    return "runs" in first and "alias" not in first


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield a benchmark each, a round a process; processes that only calibrated have no values."""
    del options
    suite = document.decode(_Suite)
    for index, bench in enumerate(suite.benchmarks):
        metadata = {**suite.metadata, **bench.metadata}
        name = metadata.get("name")
        rounds = tuple(run.values for run in bench.runs if run.values)
        if not rounds:
            raise ImportFileError("no process of it has values", place=f"benchmarks[{index}]")
        unit = metadata.get("unit", "second")
        written, better = _UNITS.get(str(unit), (str(unit), None))
        dates = [run.metadata.get("date") for run in bench.runs]
        yield ImportedSeries(
            name=name if isinstance(name, str) and name else f"pyperf {index + 1}" if index else "pyperf",
            unit=written,
            better=better,
            rounds=rounds,
            environment=environment_from(metadata, **_FIXED),
            timestamp=max((date for date in dates if isinstance(date, str)), default=None),
        )
