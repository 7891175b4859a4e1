"""The report as JUnit XML, with one test case per bench."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from aether_guard.report.text import NOTHING

if TYPE_CHECKING:
    from aether_guard.check.verdict import Judgement, Report

SUITE = "aether-guard"
_UNKNOWN_METRIC = "summary"
_ELEMENTS = {"failure": "regression", "error": "error", "skipped": "inconclusive"}
# XML 1.0, production 2: only a Char may occur, even escaped.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(report: Report) -> str:
    """Return the report as one test suite.

    A regression is a failure; with `warn_only` it passes, with the reason in `system-out`. Inconclusive is skipped.
    """
    suite = Element("testsuite", name=SUITE)
    for judgement in report.benches:
        suite.append(_case(judgement))
    tags = Counter(child.tag for case in suite for child in case)
    counts = {"tests": len(suite), "failures": tags["failure"], "errors": tags["error"], "skipped": tags["skipped"]}
    suite.attrib.update({name: str(count) for name, count in counts.items()})
    indent(suite)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(suite, encoding="unicode")}\n'


def _case(judgement: Judgement) -> Element:
    name = judgement.bench_id or judgement.current_path or judgement.baseline_path or NOTHING
    case = Element("testcase", classname=judgement.metric or _UNKNOWN_METRIC, name=_legal(name))
    reason = _legal(judgement.reason)
    if judgement.verdict == "regression" and judgement.warn_only:
        SubElement(case, "system-out").text = f"regression, warning only: {reason}"
        return case
    for element, verdict in _ELEMENTS.items():
        if judgement.verdict == verdict:
            SubElement(case, element, message=reason)
    return case


def _legal(text: str) -> str:
    """Remove characters that XML cannot hold; escape bytes of a path that are not UTF-8."""
    return _ILLEGAL.sub("", text.encode(errors="backslashreplace").decode())
