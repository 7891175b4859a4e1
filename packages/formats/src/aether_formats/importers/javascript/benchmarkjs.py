"""Benchmark.js: the output of `String(event.target)`, or its benchmarks through `JSON.stringify`.

As text a bench is a rate, `name x 1,234 ops/sec ±0.56% (78 runs sampled)`, the inverse of the mean time; as JSON it has
its samples, in seconds. One that failed is `name: ` and its error, if that can be printed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from aether_formats.errors import ImportFileError
from aether_formats.model import Failures, ImportedSeries
from aether_formats.reading.document import decode_json, keys_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document

ABOUT = "Benchmark.js, printed or as JSON"
SUFFIXES: tuple[str, ...] = (".txt", ".log", ".json")
_LINE = re.compile(
    r"\s*(?P<name>\S.{0,500}?) x (?P<rate>\d[\d,]*(?:\.\d+)?) ops/sec \S{1,3}\s?(?P<spread>[\d.]+|Infinity|NaN)%"
    r" \((?P<runs>\d+) runs? sampled\)"
)
_FAILED = re.compile(r"\s*(?P<name>\S.{0,500}?): (?P<error>(?:message: .*, name: |)\w*Error\b.*|)")
_MARK = " ops/sec "
_SHORT = 2000


class _Stats(Struct):
    sample: tuple[float, ...] = ()


class _Bench(Struct):
    name: str
    stats: _Stats
    error: Any = msgspec.UNSET


def matches(document: Document) -> bool:
    """Return whether a line near the beginning is one of its own, or the first object has its keys."""
    for keys in (document.first_object, document.keys, keys_of(document.keys.get("0", b"0"))):
        if {"name", "hz", "stats"} <= keys.keys():
            return True
    return any(_matched(line) for line in document.head.splitlines())


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield the benches."""
    del options
    if document.head.lstrip()[:1] in {"[", "{"}:
        yield from map(_series, _benches(document))
        return
    for number, line in document.lines():
        if found := _matched(line):
            rate, runs = float(found["rate"].replace(",", "")), int(found["runs"])
            if not runs:
                raise ImportFileError("no runs sampled", place=f"line {number}")
            yield ImportedSeries(name=found["name"], unit="ops/s", mean=rate, n=runs, notes=f"±{found['spread']} %")
        elif len(line) < _SHORT and (failed := _FAILED.fullmatch(line)):
            yield ImportedSeries(name=failed["name"], unit="ops/s", failures=_failure(failed["error"]))


def _matched(line: str) -> re.Match[str] | None:
    return _LINE.match(line) if _MARK in line and len(line) < _SHORT else None


def _benches(document: Document) -> list[_Bench]:
    if document.first_object:
        return document.decode(list[_Bench])
    if "stats" in document.keys:
        return [document.decode(_Bench)]
    # A suite is serialized as an object with numbers as keys.
    return [decode_json(bench, _Bench) for key, bench in document.keys.items() if key.isdecimal()]


def _series(bench: _Bench) -> ImportedSeries:
    sample = bench.stats.sample
    failures = None
    if not sample or bench.error not in (msgspec.UNSET, None, ""):
        message = bench.error.get("message") if isinstance(bench.error, dict) else bench.error
        failures = _failure(message if isinstance(message, str) else "")
    return ImportedSeries(name=bench.name, unit="s", rounds=(sample,) if sample else None, failures=failures)


def _failure(error: str) -> Failures:
    return Failures(failed=1, total=1, problem=f"the benchmark failed: {error[:160]}".rstrip(": "))
