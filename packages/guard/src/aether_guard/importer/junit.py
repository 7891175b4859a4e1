"""JUnit XML: how long each test took, in seconds. Tests that failed or were skipped took no time that counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aether_guard.importer.series import Series
from aether_guard.importer.xml import number_of, parse_xml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

    from aether_guard.importer.document import Document
    from aether_guard.importer.series import Wishes

ABOUT = "the times of tests in JUnit XML"
SUFFIXES: tuple[str, ...] = (".xml",)
_ASIDE = {"failure", "error", "skipped", "rerunFailure"}


def recognises(document: Document) -> bool:
    """Return whether the root element is that of such a report."""
    return document.root_tag in {"testsuites", "testsuite"}


def read(document: Document, wishes: Wishes) -> Iterator[Series]:
    """Yield a name each; a test that was run again under its name has more than one sample."""
    del wishes
    times: dict[str, list[float]] = {}
    timestamp: str | None = None
    for case in _cases(root := parse_xml(document)):
        timestamp = timestamp or next((suite.get("timestamp") for suite in root.iter("testsuite")), None)
        if case.get("time") is None or any(child.tag in _ASIDE for child in case):
            continue
        name = ".".join(filter(None, (case.get("classname"), case.get("name")))) or "unnamed"
        times.setdefault(name, []).append(number_of(case.get("time"), place=f"{name}: time"))
    for name, values in times.items():
        yield Series(name=name, unit="s", rounds=(tuple(values),), timestamp=timestamp)


def _cases(root: Element) -> Iterator[Element]:
    return root.iter("testcase")
