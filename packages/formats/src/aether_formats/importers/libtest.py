"""The bench harness of the Rust compiler, as text: `test name ... bench: 1,234 ns/iter (+/- 56)`.

Harnesses that print like it write other units, such as `cycles/iter`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aether_formats.model import Failures, ImportedSeries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document

ABOUT = "cargo bench of the compiler's own harness, as text"
SUFFIXES: tuple[str, ...] = (".txt", ".log")
_LINE = re.compile(
    r"^test (?P<name>.{1,500}?)\s+\.\.\. bench:\s+(?P<median>\d[\d,]*(?:\.\d+)?) (?P<unit>\S+)"
    r" \(\+/- (?P<spread>\d[\d,]*(?:\.\d+)?)\)"
)
_FAILED = re.compile(r"^test (?P<name>.{1,500}?)\s+\.\.\. FAILED")
_SHORT = 2000


def matches(document: Document) -> bool:
    """Return whether a line near the beginning is one of a bench."""
    return any(map(_matched, document.head.splitlines()))


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield a line each: the median of samples that the text does not hold, nor how many they were."""
    del options
    for _, line in document.lines():
        if found := _matched(line):
            median = float(found["median"].replace(",", ""))
            notes = f"+/- {found['spread']} {found['unit']}, from the fastest sample to the slowest"
            yield ImportedSeries(name=found["name"], unit=found["unit"], p50=median, notes=notes)
        elif failed := _FAILED.match(line[:_SHORT]):
            failures = Failures(failed=1, total=1, problem="the bench failed")
            yield ImportedSeries(name=failed["name"], unit="ns/iter", failures=failures)


def _matched(line: str) -> re.Match[str] | None:
    return _LINE.match(line) if line.startswith("test ") and len(line) < _SHORT else None
