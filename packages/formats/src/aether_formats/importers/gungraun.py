"""gungraun and iai-callgrind: `summary.json` of `--save-summary`, or `--output-format=json`; versions 1 to 6.

Events are counted once, and the counts are exactly reproducible. The benches are the instructions, cache hits and
estimated cycles of callgrind and cachegrind, and the allocations of DHAT. The counts of other events are too small for
a meaningful ratio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from aether_formats.errors import ImportFileError
from aether_formats.model import ImportedSeries
from aether_formats.reading.document import decode_json, keys_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document

ABOUT = "summary.json of gungraun and iai-callgrind"
SUFFIXES: tuple[str, ...] = (".json", ".jsonl", ".ndjson")
#: The event whose bench has the name of the benchmark without a suffix.
_FIRST = "Ir"
_UNITS = {
    _FIRST: "instructions",
    "L1hits": "hits",
    "EstimatedCycles": "cycles",
    "TotalBytes": "bytes",
    "TotalBlocks": "blocks",
    "AtTGmaxBytes": "bytes",
}
_Count = int | float | None


class _Metric(Struct):
    """A number as newer releases write it: `{"Int": 5}`."""

    whole: int | None = msgspec.field(default=None, name="Int")
    fraction: float | None = msgspec.field(default=None, name="Float")


class _Sides(Struct):
    """The value of this run (`left`), or the values of this run and the previous run (`both`)."""

    left: _Metric | int | None = msgspec.field(default=None, name="Left")
    both: tuple[_Metric | int, _Metric | int] | None = msgspec.field(default=None, name="Both")


class _Event(Struct):
    metrics: _Sides | None = None
    new: int | None = None  # versions 1 and 2


class _Run(Struct):
    events: dict[str, _Event] = {}


class _Total(Struct):
    summary: dict[str, Any] | str


class _Totals(Struct):
    total: _Total


class _Profile(Struct):
    tool: str
    summaries: _Totals


class _Callgrind(Struct):
    summaries: list[_Run] = []  # versions 1 and 2
    callgrind_run: _Totals | None = None  # version 3


class _Summary(Struct):
    module_path: str
    function_name: str = ""
    id: str | None = None
    profiles: list[_Profile] = []
    callgrind_summary: _Callgrind | None = None


def matches(document: Document) -> bool:
    """Return whether the first object is the summary of a benchmark, by its keys."""
    keys = document.keys or document.first_object or document.first_line
    return {"module_path", "benchmark_exe", "kind"} <= keys.keys()


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield a bench per event: instructions under the benchmark's name, other events with theirs as a suffix."""
    del options
    for summary in _summaries(document):
        name = summary.module_path
        if summary.function_name and name.rpartition("::")[2] != summary.function_name:
            name = f"{name}::{summary.function_name}"
        name = f"{name} {summary.id}" if summary.id else name
        for tool, events in _tools(summary):
            for event, unit in _UNITS.items():
                values = [value for each in events if (value := _new(each.get(event))) is not None]
                if values:
                    parts = [name, "" if tool == "Callgrind" else tool, "" if event == _FIRST else event]
                    # The tool counts each process separately.
                    yield ImportedSeries(
                        name=" ".join(filter(None, parts)), unit=unit, p50=float(sum(values)), better="lower"
                    )


def _summaries(document: Document) -> Iterator[_Summary]:
    if document.first_object:
        yield from document.decode(list[_Summary])
    elif document.keys:
        yield document.decode(_Summary)
    else:
        for number, line in document.lines():
            if line.startswith("{") and "module_path" in keys_of(line.encode()):
                try:
                    yield decode_json(line.encode(), _Summary)
                except ImportFileError as problem:
                    raise ImportFileError(str(problem), place=f"line {number}") from None


def _tools(summary: _Summary) -> Iterator[tuple[str, list[dict[str, _Event]]]]:
    """Yield each tool with its events, whose position in the file depends on the version."""
    callgrind = summary.callgrind_summary
    if callgrind is not None and callgrind.callgrind_run is not None:
        yield "Callgrind", [_events(callgrind.callgrind_run.total.summary)]
    elif callgrind is not None:
        yield "Callgrind", [run.events for run in callgrind.summaries]
    for profile in summary.profiles:
        total = profile.summaries.total.summary
        # A tool without figures has a string in their place.
        for kind in ("Callgrind", "Cachegrind", "Dhat"):
            if isinstance(total, dict) and kind in total:
                yield profile.tool, [_events(total[kind])]


def _events(found: object) -> dict[str, _Event]:
    try:
        return msgspec.convert(found, dict[str, _Event])
    except msgspec.ValidationError as error:
        raise ImportFileError(str(error)) from None


def _new(event: _Event | None) -> _Count:
    """Return the value of the newer run, or None if only the older run has the event."""
    if event is None or event.metrics is None:
        return None if event is None else event.new
    value = event.metrics.both[0] if event.metrics.both is not None else event.metrics.left
    if isinstance(value, _Metric):
        return value.fraction if value.whole is None else value.whole
    return value
