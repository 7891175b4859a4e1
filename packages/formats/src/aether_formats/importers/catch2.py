"""Catch2, releases 2 and 3: the mean of each benchmark without its samples, from `-r xml` or printed text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_formats.model import Failures, ImportedSeries
from aether_formats.reading.xml import number_of, parse_xml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from xml.etree.ElementTree import Element

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document

ABOUT = "Catch2's benchmarks, --reporter xml or as it prints them"
SUFFIXES: tuple[str, ...] = (".xml", ".txt", ".log")
_ROOTS = {"Catch", "Catch2TestRun"}
_TABLE = re.compile(r"benchmark name\s+samples\s+iterations\s+(estimated|mean)\s*$")
_RULE = re.compile(r"-{10,}\s*$")
_COLOR = re.compile(r"\x1b\[[\d;]*m")
_UNITS = {"ns": "ns", "us": "us", "ms": "ms", "s": "s", "m": "min"}
_FAILED = "Benchmark failed ("
_ROW_WORDS = 4


def matches(document: Document) -> bool:
    """Return whether the root element is a run, or a line near the beginning is the head of a table of benchmarks."""
    return document.root_tag in _ROOTS or any(
        line.startswith("benchmark name") and _TABLE.match(line) for line in document.head.splitlines()
    )


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield a benchmark each, named by its test case, its sections and itself."""
    del options
    if document.head.lstrip().startswith("<"):
        yield from _below(parse_xml(document), ())
    else:
        yield from _printed(document)


def _below(element: Element, path: tuple[str, ...]) -> Iterator[ImportedSeries]:
    for child in element:
        if child.tag in {"TestCase", "Section"}:
            yield from _below(child, (*path, child.get("name", "").strip()))
        elif child.tag == "BenchmarkResults":
            name = "/".join((*path, child.get("name", "").strip()))
            failed, mean = child.find("failed"), child.find("mean")
            if failed is not None:
                yield _failed(name, failed.get("message") or "")
            elif mean is not None:
                samples = number_of(child.get("samples", "1"), place=f"{name}: samples")
                value = number_of(mean.get("value"), place=f"{name}: mean")
                yield ImportedSeries(name=name, unit="ns", mean=value, n=int(samples) if 1 <= samples < 2**63 else 1)
        else:
            yield from _below(child, path)


def _failed(name: str, message: str) -> ImportedSeries:
    problem = f"the benchmark failed: {message}" if message else "the benchmark failed"
    return ImportedSeries(name=name, unit="ns", failures=Failures(failed=1, total=1, problem=problem))


class _Row(Struct):
    """A benchmark of a table: its name may take several lines, and its mean stands below its first figures."""

    name: list[str]
    samples: int = 0


def _printed(document: Document) -> Iterator[ImportedSeries]:
    """Yield the benchmarks of the tables, each below the name of its test case and the sections in it."""
    path: tuple[str, ...] = ()
    since_rule: list[str] = []
    has_estimate: bool | None = None
    row = _Row([])
    for _, colored in document.lines():
        line = _COLOR.sub("", colored) if "\x1b" in colored else colored
        if _RULE.match(line):
            heads_table = next((found for found in map(_TABLE.match, since_rule) if found), None)
            has_estimate = heads_table[1] == "estimated" if heads_table else None
            if since_rule and not heads_table and all(text.strip() for text in since_rule):
                path = _path(since_rule)
            since_rule, row = [], _Row([])
        elif has_estimate is None:
            since_rule.append(line)
        else:
            since_rule.append(line)
            found = _read_row(line, row, path, has_estimate=has_estimate)
            if found is not None:
                yield found
                row = _Row([])


def _read_row(line: str, row: _Row, path: Sequence[str], *, has_estimate: bool) -> ImportedSeries | None:
    """Take a line of a table, and return the benchmark that it completes."""
    words = line.split()
    if _FAILED in line:
        name, _, message = line.partition(_FAILED)
        return _failed(_named(path, [*row.name, name.strip()]), message.rstrip().removesuffix(")"))
    figures = [_duration(words[-2 * count :][:2]) for count in (1, 2, 3) if len(words) >= 2 * count]
    if len(words) >= _ROW_WORDS and figures[0] and words[-3].isdigit() and words[-4].isdigit():
        row.name += words[:-_ROW_WORDS]
        row.samples = int(words[-4]) if len(words[-4]) < 19 else 1
        return None if has_estimate else _mean(figures[0], row, path)
    if len(words) == 6 and all(figures):
        # The mean with its bounds, and then the deviation with its own.
        return _mean(figures[2], row, path) if row.samples else None
    if row.samples == 0:
        row.name += words
    return None


def _mean(figure: tuple[float, str] | None, row: _Row, path: Sequence[str]) -> ImportedSeries | None:
    value, unit = figure or (0.0, "ns")
    return ImportedSeries(name=_named(path, row.name), unit=unit, mean=value, n=max(1, row.samples))


def _duration(words: Sequence[str]) -> tuple[float, str] | None:
    try:
        return float(words[0]), _UNITS[words[1]]
    except (ValueError, KeyError):
        return None


def _path(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the name of a test case, which may take several lines, and the names of sections, indented below it."""
    case = " ".join(line.strip() for line in lines if not line.startswith("  "))
    return (case, *(line.strip() for line in lines if line.startswith("  ")))


def _named(path: Sequence[str], name: Sequence[str]) -> str:
    return "/".join((*path, " ".join(filter(None, name))))
