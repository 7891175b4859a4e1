"""JUnit XML: how long each test took, in seconds. A test that failed, or did not run, took no time that counts.

Tests are named by class and name. If several tests of a file share both, the suite distinguishes them, and then the
host. A browser is always in the name unless the class has it, because a file may hold one browser or several.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from aether_formats.model import Failures, ImportedSeries, name_with_params
from aether_formats.reading.xml import number_of, parse_xml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from xml.etree.ElementTree import Element

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document

ABOUT = "the times of tests in JUnit XML"
SUFFIXES: tuple[str, ...] = (".xml",)
_FAILED = {"failure", "error", "rerunFailure", "rerunError"}
#: How CTest, GoogleTest and others mark a test that failed, or did not run.
_FAILING = {"fail", "failed", "error"}
_NOT_RUN = {"notrun", "disabled", "skipped", "suppressed"}
_BROWSER_KEYS = {"browser", "browserName", "capabilities"}
#: Playwright writes the name of the project, which usually is a browser's, as the host.
_BROWSER_HOST = re.compile(
    r"(?:(?:desktop|mobile|google|microsoft) )?(?:chrome|chromium|firefox|webkit|safari|edge|msedge)", re.IGNORECASE
)


class _Place(Struct, frozen=True):
    """The attributes of the suites around a test."""

    suite: str = ""
    host: str = ""
    browser: str = ""
    timestamp: str | None = None


class _Case(Struct, frozen=True):
    place: _Place
    time_s: float | None
    failure: str | None
    skipped: str | None


def matches(document: Document) -> bool:
    """Return whether the root element is a JUnit report."""
    return document.root_tag in {"testsuites", "testsuite"}


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield a test each; one that was run again has more than one sample."""
    del options
    named: dict[str, list[_Case]] = {}
    for name, case in _cases(parse_xml(document), _Place()):
        named.setdefault(name, []).append(case)
    for name, cases in named.items():
        for told_apart, same in _told_apart(name, cases).items():
            yield _series(told_apart, same)


def _series(name: str, cases: Sequence[_Case]) -> ImportedSeries:
    failed = [case.failure for case in cases if case.failure is not None]
    times = tuple(case.time_s for case in cases if case.time_s is not None)
    skipped = next((case.skipped for case in cases if case.skipped is not None), None)
    total = len(failed) + len(times)
    message = f": {failed[0]}" if failed and failed[0] else ""
    return ImportedSeries(
        name=name,
        unit="s",
        rounds=(times,) if times else None,
        timestamp=next((case.place.timestamp for case in cases if case.place.timestamp), None),
        failures=Failures(failed=len(failed), total=total, problem=f"{len(failed)} of {total} runs failed{message}")
        if failed
        else None,
        skipped=skipped or "no time" if total == 0 else None,
    )


def _told_apart(name: str, cases: Sequence[_Case]) -> dict[str, list[_Case]]:
    """Return the cases of a name, under that name with as much as needed: nothing, the suite, or also the host."""
    suites = {case.place.suite for case in cases}
    needs_host = len({(case.place.suite, case.place.host) for case in cases}) > len(suites)
    apart: dict[str, list[_Case]] = {}
    for case in cases:
        traits = {"suite": case.place.suite} if len(suites) > 1 else {}
        if needs_host:
            traits["host"] = case.place.host
        apart.setdefault(name_with_params(name, dict(traits)), []).append(case)
    return apart


def _cases(element: Element, around: _Place) -> Iterator[tuple[str, _Case]]:
    """Yield every test below an element, with its name."""
    place = _inside(element, around)
    for child in element:
        if child.tag != "testcase":
            yield from _cases(child, place)
            continue
        within = _inside(child, place)
        name = ".".join(filter(None, (child.get("classname"), child.get("name")))) or "unnamed"
        if within.browser and _plain(within.browser) not in _plain(name):
            name = name_with_params(name, {"browser": within.browser})
        yield name, _case(child, within, name)


def _case(element: Element, place: _Place, name: str) -> _Case:
    children = {child.tag: child for child in element}
    failure = next((child for tag, child in children.items() if tag in _FAILED), None)
    states = {element.get("status", "").lower(), element.get("result", "").lower()}
    if failure is not None or states & _FAILING:
        text = "" if failure is None else failure.get("message") or failure.get("type") or ""
        return _Case(place, None, " ".join(text.split())[:200], None)
    if "skipped" in children or states & _NOT_RUN:
        text = children["skipped"].get("message") or "" if "skipped" in children else ""
        return _Case(place, None, None, ": ".join(filter(None, ("skipped", " ".join(text.split())[:200]))))
    time = element.get("time")
    return _Case(place, None if time is None else number_of(time, place=f"{name}: time"), None, None)


def _inside(element: Element, place: _Place) -> _Place:
    """Return the place inside an element that itself is in `place`."""
    properties = {item.get("name"): item.get("value") or "" for item in element.iterfind("properties/property")}
    host = element.get("hostname", "").strip()
    browser = next((properties[key] for key in properties if key in _BROWSER_KEYS), "")
    if _BROWSER_HOST.fullmatch(host):
        host, browser = "", browser or host
    name = element.get("name", "").strip() if element.tag == "testsuite" else ""
    return replace(
        place,
        suite="/".join(filter(None, (place.suite, name))),
        host=host or place.host,
        browser=browser or place.browser,
        timestamp=element.get("timestamp") or place.timestamp,
    )


def _plain(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())
