from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_guard.check.verdict import Judgement, build_report
from aether_guard.report.text import WIDTH, render_text

if TYPE_CHECKING:
    from collections.abc import Callable

FIGURE = st.floats(min_value=0, allow_infinity=False)


def rendered(*judgements: Judgement) -> str:
    return render_text(build_report(judgements, strict=False))


def table(*judgements: Judgement) -> list[str]:
    return rendered(*judgements).split("\n\n")[0].split("\n")


def test_table_has_a_head_and_a_line_per_bench(judgement: Callable[..., Judgement]) -> None:
    fine = judgement(bench_id="streaming", verdict="pass", change=-0.1, current=9.0)
    assert rendered(judgement(), fine) == (
        "bench      baseline  current  worse by  verdict\n"
        "packaging     10 ms  12.5 ms   +25.0 %  regression\n"
        "streaming     10 ms     9 ms   -10.0 %  pass\n"
        "\n"
        "regression: packaging: p95 25.0 % worse, gate 20 %\n"
        "\n"
        "regression: 1 regression, 1 passed (gate 20 % on p95)\n"
    )


def test_passes_without_evidence_give_no_reasons(judgement: Callable[..., Judgement]) -> None:
    assert rendered(judgement(verdict="pass")).endswith("pass\n\npass: 1 passed (gate 20 % on p95)\n")


def test_long_bench_id_is_shortened_in_the_middle(
    judgement: Callable[..., Judgement],
) -> None:
    lines = table(judgement(bench_id="first" + "-" * 190 + "final"), judgement())
    assert all(len(line) <= WIDTH for line in lines)
    assert lines[1].startswith("first-")
    assert "…" in lines[1]
    assert "final  " in lines[1]
    assert lines[1].endswith("regression")


@given(
    bench_id=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=200),
    baseline=FIGURE,
    current=FIGURE,
    change=st.floats(-1, 1e6),
)
def test_table_fits_80_columns_for_any_content(
    judgement: Callable[..., Judgement], bench_id: str, baseline: float, current: float, change: float
) -> None:
    judged = judgement(
        bench_id=bench_id, metric="throughput_mbs", unit="MB/s", baseline=baseline, current=current, change=change
    )
    lines = table(judged, judgement(verdict="inconclusive"))
    assert len(lines) == 3
    assert all(len(line) <= WIDTH for line in lines)
    assert all(line.isprintable() for line in lines)


def test_huge_change_fits_80_columns(judgement: Callable[..., Judgement]) -> None:
    assert all(len(line) <= WIDTH for line in table(judgement(baseline=1e-300, current=1e5, change=1e305)))


def test_unit_with_a_line_break_adds_no_line(judgement: Callable[..., Judgement]) -> None:
    forged = judgement(metric="value", unit="x\n::error::forged")
    assert len(table(forged)) == 2
    assert "\n::error" not in rendered(forged)


@pytest.mark.parametrize("path", ["a\n::error::b.json", "\udcff.json", "a\x1b[2Jb.json"])
def test_unreadable_file_has_a_row_with_its_escaped_path(judgement: Callable[..., Judgement], path: str) -> None:
    missing = Judgement(bench_id=None, verdict="error", reason="no such file", current_path=path)
    lines = table(missing, judgement())
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)


def test_bench_without_a_baseline_is_new(judgement: Callable[..., Judgement]) -> None:
    reason = "it has no baseline yet"
    new = judgement(verdict="pass", baseline=None, current=None, change=None, reason=reason)
    assert table(new)[1].endswith("  new")
    assert f"\nnew: packaging: {reason}\n" in rendered(new)


@pytest.mark.parametrize(
    ("verdicts", "conclusion"),
    [
        (["error", "error", "regression"], "error: 2 errors, 1 regression"),
        (["improvement", "pass", "pass"], "pass: 2 passed, 1 improvement"),
        (["inconclusive", "improvement", "improvement"], "inconclusive: 1 inconclusive, 2 improvements"),
    ],
)
def test_last_line_counts_the_verdicts_worst_first(
    judgement: Callable[..., Judgement], verdicts: list[str], conclusion: str
) -> None:
    text = rendered(*(judgement(verdict=verdict) for verdict in verdicts))
    assert text.endswith(f"\n{conclusion} (gate 20 % on p95)\n")


def test_different_gates_are_not_printed_as_one(judgement: Callable[..., Judgement]) -> None:
    text = rendered(judgement(), judgement(bench_id="streaming", verdict="pass", gate=0.1))
    assert text.endswith("\nregression: 1 regression, 1 passed (gates differ by bench)\n")


def test_last_line_has_no_gate_if_nothing_was_judged() -> None:
    missing = Judgement(bench_id=None, verdict="error", reason="no such file", current_path="a.json")
    assert rendered(missing).endswith("\nerror: 1 error\n")


def test_last_line_gives_the_false_alarm_risk_if_it_holds(judgement: Callable[..., Judgement]) -> None:
    text = render_text(build_report([judgement(runs=5)], strict=False, level=0.05))
    assert text.endswith("(gate 20 % on p95; false-alarm risk at most 5 % per build)\n")


def test_single_baseline_run_gives_a_caveat(judgement: Callable[..., Judgement]) -> None:
    one, several, none = (render_text(build_report([judgement(runs=runs)], strict=False)) for runs in (1, 5, None))
    sentence = (
        "One baseline run does not show how much unchanged code varies from run to run; "
        "`aether-guard promote --runs 5` keeps several.\n\n"
    )
    assert sentence in one
    assert "promote" not in several + none


def test_figure_beyond_the_gate_is_not_rounded_to_it(judgement: Callable[..., Judgement]) -> None:
    assert "  +20.004 %  regression" in rendered(judgement(change=0.20004))
    assert "  +20.0 %  pass" in rendered(judgement(verdict="pass", change=0.2))


@pytest.mark.parametrize(
    ("interval", "shown"),
    [((-0.02, 0.03), "~"), ((0.01, 0.03), "+5.0 %"), ((-0.03, -0.01), "+5.0 %"), (None, "+5.0 %")],
)
def test_pass_with_zero_in_its_interval_is_shown_as_unchanged(
    judgement: Callable[..., Judgement], interval: tuple[float, float] | None, shown: str
) -> None:
    assert f"  {shown}  pass" in table(judgement(verdict="pass", change=0.05, interval=interval))[1]


@pytest.mark.parametrize("verdict", ["regression", "inconclusive", "improvement"])
def test_other_verdicts_show_the_change_for_any_interval(judgement: Callable[..., Judgement], verdict: str) -> None:
    assert f"  +25.0 %  {verdict}" in table(judgement(verdict=verdict, interval=(-0.1, 0.6)))[1]


@pytest.mark.parametrize(("decisive", "shown"), [(0.02, "+2.0 %"), (0.31, "+31.0 %")])
def test_table_shows_the_decisive_change(judgement: Callable[..., Judgement], decisive: float, shown: str) -> None:
    judged = judgement(
        verdict="pass", change=0.3, change_adjusted=0.02, change_decisive=decisive, interval=(0.01, 0.03)
    )
    assert f"  {shown}  pass" in table(judged)[1]


def test_pass_with_an_interval_gives_its_reason(judgement: Callable[..., Judgement]) -> None:
    assert "\npass: packaging: because\n" in rendered(judgement(verdict="pass", interval=(0.0, 0.0), reason="because"))
