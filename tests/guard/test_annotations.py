from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_guard.check.verdict import Judgement, build_report
from aether_guard.report.annotations import MAX_LINES, escaped_message, escaped_property, render_annotations
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.text("%\r\n:,025ADC")


def annotations(*judgements: Judgement) -> list[str]:
    text = render_annotations(build_report(judgements, strict=False))
    assert text == "" or text.endswith("\n")
    return text.split("\n")[:-1]


def unescaped(text: str) -> str:
    for code, character in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(code, character)
    return text


def test_regression_is_a_warning_with_title_file_and_figures(
    judgement: Callable[..., Judgement],
) -> None:
    properties = "title=Performance regression%3A packaging,file=baseline.json"
    message = "packaging: p95 25.0 %25 worse, gate 20 %25: 10 ms in the baseline, 12.5 ms now"
    assert annotations(judgement()) == [f"::warning {properties}::{message}"]


@pytest.mark.parametrize("verdict", ["pass", "improvement", "inconclusive", "error"])
def test_other_verdicts_give_no_warning(judgement: Callable[..., Judgement], verdict: str) -> None:
    assert annotations(judgement(verdict=verdict)) == []


@given(TEXT)
def test_escaped_message_is_read_back_unchanged(text: str) -> None:
    written = escaped_message(text)
    assert not set(written) & set("\r\n")
    assert unescaped(written.replace(":", "%3A").replace(",", "%2C")) == text


@given(TEXT)
def test_escaped_property_is_read_back_unchanged(text: str) -> None:
    written = escaped_property(text)
    assert not set(written) & set("\r\n:,")
    assert unescaped(written) == text


def test_letters_of_any_language_are_not_escaped() -> None:
    assert escaped_property("größer 📦 包装") == "größer 📦 包装"


@given(bench_id=TEXT, path=TEXT, unit=TEXT)
def test_no_name_path_or_unit_starts_a_second_command(
    judgement: Callable[..., Judgement], bench_id: str, path: str, unit: str
) -> None:
    lines = annotations(judgement(bench_id=bench_id, baseline_path=path, unit=unit))
    assert len(lines) == 1
    command, properties, _message = lines[0].split(" ", 1)[0], *lines[0].split(" ", 1)[1].split("::", 1)
    assert command == "::warning"
    title, file = properties.split(",")
    assert unescaped(title) == f"title=Performance regression: {printable(bench_id)}"
    assert unescaped(file) == f"file={printable(path)}"
    assert lines[0].isprintable()


@pytest.mark.parametrize("name", ["a\x1b[2Jb", "a\u202eb", "a##vso[task.complete]b"])
def test_no_name_controls_a_terminal_or_another_host(judgement: Callable[..., Judgement], name: str) -> None:
    (line,) = annotations(judgement(bench_id=name, baseline_path=name))
    assert line.isprintable()
    assert "##vso[" not in line


def test_ten_regressions_are_ten_lines_worst_first(judgement: Callable[..., Judgement]) -> None:
    benches = [judgement(bench_id=f"bench {number}", change=number / 10) for number in range(3, 13)]
    lines = annotations(*benches)
    assert len(lines) == MAX_LINES == 10
    assert "bench 12:" in lines[0]
    assert "bench 3:" in lines[-1]


@pytest.mark.parametrize("count", [11, 12, 500])
def test_regressions_beyond_the_ninth_are_counted_in_one_line(judgement: Callable[..., Judgement], count: int) -> None:
    lines = annotations(*(judgement(bench_id=f"bench {number}", change=number) for number in range(count)))
    assert len(lines) == MAX_LINES
    assert lines[-1] == f"::warning title=Performance regressions::and {count - 9} more benches regressed"
    assert all(f"bench {count - 1 - place}:" in line for place, line in enumerate(lines[:-1]))
