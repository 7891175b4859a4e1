from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_guard.check.verdict import Judgement, Verdict, build_report
from aether_guard.report.junit import render_junit

if TYPE_CHECKING:
    from collections.abc import Callable

VERDICTS: tuple[Verdict, ...] = ("error", "regression", "inconclusive", "pass", "improvement")


def suite_of(*judgements: Judgement) -> Element:
    return fromstring(render_junit(build_report(judgements, strict=False)).encode())  # noqa: S314 (our own)


def test_suite_has_a_case_per_bench_and_correct_counts(judgement: Callable[..., Judgement]) -> None:
    suite = suite_of(*(judgement(verdict=verdict) for verdict in VERDICTS), judgement(warn_only=True))
    assert suite.tag == "testsuite"
    assert suite.attrib == {"name": "aether-guard", "tests": "6", "failures": "1", "errors": "1", "skipped": "1"}
    assert [case.tag for case in suite] == ["testcase"] * 6


@pytest.mark.parametrize(
    ("verdict", "element"), [("regression", "failure"), ("error", "error"), ("inconclusive", "skipped")]
)
def test_failed_case_holds_the_reason(judgement: Callable[..., Judgement], verdict: Verdict, element: str) -> None:
    (child,) = suite_of(judgement(verdict=verdict))[0]
    assert child.tag == element
    assert child.attrib["message"] == "p95 25.0 % worse, gate 20 %"


@pytest.mark.parametrize("verdict", ["pass", "improvement"])
def test_pass_and_improvement_are_empty_cases(judgement: Callable[..., Judgement], verdict: Verdict) -> None:
    (case,) = suite_of(judgement(verdict=verdict))
    assert case.attrib == {"classname": "duration_ms", "name": "packaging"}
    assert len(case) == 0


def test_warn_only_regression_passes_with_the_reason(judgement: Callable[..., Judgement]) -> None:
    (child,) = suite_of(judgement(warn_only=True))[0]
    assert child.tag == "system-out"
    assert child.text == "regression, warning only: p95 25.0 % worse, gate 20 %"


def test_unreadable_file_is_a_case_named_by_its_path() -> None:
    (case,) = suite_of(Judgement(bench_id=None, verdict="error", reason="broken", current_path="a/b\udcff.json"))
    assert case.attrib == {"classname": "summary", "name": "a/b\\udcff.json"}


def test_characters_invalid_in_xml_are_removed(judgement: Callable[..., Judgement]) -> None:
    (case,) = suite_of(judgement(bench_id="a\x00\x1b\ufffe<b>&\"'", reason="\x08x]]>\n"))
    assert case.attrib["name"] == "a<b>&\"'"
    assert case[0].attrib["message"] == "x]]>\n"


@given(bench_id=st.text(min_size=1), reason=st.text(), verdict=st.sampled_from(VERDICTS), warn_only=st.booleans())
def test_any_text_is_valid_xml(*, bench_id: str, reason: str, verdict: Verdict, warn_only: bool) -> None:
    suite = suite_of(Judgement(bench_id=bench_id, verdict=verdict, reason=reason, warn_only=warn_only))
    plain = "".join(character for character in bench_id if character.isprintable())
    shown = "".join(character for character in suite[0].attrib["name"] if character.isprintable())
    assert shown == plain
    assert suite.attrib["tests"] == "1"
