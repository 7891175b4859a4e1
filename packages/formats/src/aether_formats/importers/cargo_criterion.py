"""cargo-criterion: `--message-format=json`, JSON lines; the messages of finished benchmarks are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from aether_formats.errors import ImportFileError
from aether_formats.importers.criterion import per_iteration
from aether_formats.model import ImportedSeries
from aether_formats.reading.document import decode_json, keys_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document

ABOUT = "cargo criterion --message-format=json"
SUFFIXES: tuple[str, ...] = (".json", ".jsonl", ".ndjson", ".txt")
_COMPLETE = '"benchmark-complete"'


class _Message(Struct):
    id: str
    iteration_count: list[float]
    measured_values: list[float]
    unit: str


def matches(document: Document) -> bool:
    """Return whether a line near the beginning is one of its messages."""
    return (
        any(
            bytes(keys_of(line.encode()).get("reason", b"")) in {_COMPLETE.encode(), b'"group-complete"'}
            for line in document.head.splitlines()
            if line.startswith("{") and '"reason"' in line
        )
        or bytes(document.keys.get("reason", b"")) == _COMPLETE.encode()
    )


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield a benchmark each, its measured values over their iterations."""
    del options
    for number, line in document.lines():
        # Output of cargo and messages of other kinds may come in between.
        if not line.startswith("{") or _COMPLETE not in line:
            continue
        try:
            message = decode_json(line.encode(), _Message)
            yield ImportedSeries(
                name=message.id,
                unit=message.unit,
                rounds=(per_iteration(message.iteration_count, message.measured_values),),
            )
        except ImportFileError as problem:
            raise ImportFileError(str(problem), place=f"line {number}") from None
