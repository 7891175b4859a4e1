from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from aether_guard.check.verdict import Judgement, build_report
from aether_guard.report.markdown import SIZE_LIMIT_BYTES, escaped, render_markdown
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Callable

ACTIVE = "\\`*_{}[]()#!|<>~@&"


def rendered(*judgements: Judgement) -> str:
    return render_markdown(build_report(judgements, strict=False))


def rows(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.startswith("| ")][1:]


def test_bench_is_a_row_and_a_regression_has_its_reason(judgement: Callable[..., Judgement]) -> None:
    text = rendered(judgement(), judgement(bench_id="streaming", verdict="pass", change=0.0, current=10.0))
    assert rows(text) == [
        "| packaging | 10 ms | 12.5 ms | +25.0 % | 🔴 regression |",
        "| streaming | 10 ms | 10 ms | 0.0 % | ⚪ pass |",
    ]
    assert text.endswith("\n- **regression** packaging: p95 25.0 % worse, gate 20 %\n")


def test_every_verdict_has_a_row(judgement: Callable[..., Judgement]) -> None:
    verdicts = ["error", "regression", "inconclusive", "pass", "improvement"]
    text = rendered(*(judgement(verdict=verdict) for verdict in verdicts))
    assert [row.removesuffix(" |").rsplit(" ", 1)[-1] for row in rows(text)] == verdicts


def test_bench_without_a_baseline_is_new(judgement: Callable[..., Judgement]) -> None:
    assert rows(rendered(judgement(verdict="pass", baseline=None)))[0].endswith(" new |")


def test_bench_id_cannot_break_the_table_or_the_page(judgement: Callable[..., Judgement]) -> None:
    text = rendered(judgement(bench_id="a|b <img src=x> [l](u) @someone `c`"))
    assert len(rows(text)) == 1
    assert len(re.findall(r"(?<!\\)\|", rows(text)[0])) == 6
    assert not re.search(r"(?<!\\)[<@`\[]", text)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_special_characters_of_markdown_and_html_are_escaped(text: str) -> None:
    shown = escaped(text)
    plain = re.sub(r"\\(.)", "", shown)
    assert not set(plain) & set(ACTIVE)
    assert re.sub(r"\\(.)", r"\1", shown) == printable(" ".join(text.split()))


def test_report_beyond_the_size_limit_counts_the_rest(judgement: Callable[..., Judgement]) -> None:
    count = 5000
    text = rendered(*(judgement(bench_id=f"{number}-" + "x" * 190, verdict="pass") for number in range(count)))
    shown = len(rows(text))
    assert 0 < shown < count
    assert f"… and {count - shown} more" in text
    assert len(text.encode()) < SIZE_LIMIT_BYTES + 100_000


def test_control_characters_are_escaped() -> None:
    assert escaped("a\x1b[2J\x00") == r"a\\x1b\[2J\\x00"
