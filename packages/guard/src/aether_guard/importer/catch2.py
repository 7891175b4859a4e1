"""Catch2: `-r xml`, releases 2 and 3: the mean of each benchmark in nanoseconds, without its samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aether_guard.importer.series import Series
from aether_guard.importer.xml import number_of, parse_xml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

    from aether_guard.importer.document import Document
    from aether_guard.importer.series import Wishes

ABOUT = "Catch2 --reporter xml"
SUFFIXES: tuple[str, ...] = (".xml",)
_ROOTS = {"Catch", "Catch2TestRun"}


def recognises(document: Document) -> bool:
    """Return whether the root element is that of a run."""
    return document.root_tag in _ROOTS


def read(document: Document, wishes: Wishes) -> Iterator[Series]:
    """Yield a benchmark each, named by its test case, its sections and itself."""
    del wishes
    yield from _below(parse_xml(document), ())


def _below(element: Element, path: tuple[str, ...]) -> Iterator[Series]:
    for child in element:
        if child.tag in {"TestCase", "Section"}:
            yield from _below(child, (*path, child.get("name", "").strip()))
        elif child.tag == "BenchmarkResults":
            # One that failed has no mean.
            if (mean := child.find("mean")) is not None:
                name = "/".join((*path, child.get("name", "").strip()))
                samples = number_of(child.get("samples", "1"), place=f"{name}: samples")
                value = number_of(mean.get("value"), place=f"{name}: mean")
                n = int(samples) if 1 <= samples < 2**63 else 1
                yield Series(name=name, unit="ns", p50=value, n=n, notes="p50 is the mean")
        else:
            yield from _below(child, path)
