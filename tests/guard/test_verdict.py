# The numbers of the test matrix stand in the names as it writes them.
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_guard.check.verdict import SEVERITY, Judgement, build_report

if TYPE_CHECKING:
    from collections.abc import Callable

VERDICTS = st.lists(st.sampled_from(sorted(SEVERITY)), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        (["improvement", "pass"], 0),
        (["pass", "regression"], 1),
        (["regression", "error"], 2),
        (["pass", "error"], 2),
        (["pass", "inconclusive"], 0),
    ],
)
def test_the_exit_status_is_the_one_of_the_worst(
    judgement: Callable[..., Judgement], verdicts: list[str], status: int
) -> None:
    judgements = [judgement(verdict=verdict) for verdict in verdicts]
    report = build_report(judgements, strict=False)
    assert (report.exit_code, report.verdict) == (status, verdicts[-1])


@pytest.mark.parametrize(
    ("verdicts", "status"), [(["inconclusive"], 3), (["inconclusive", "regression"], 1), (["inconclusive", "error"], 2)]
)
def test_strict_fails_what_is_inconclusive_unless_it_is_worse(
    judgement: Callable[..., Judgement], verdicts: list[str], status: int
) -> None:
    judgements = [judgement(verdict=verdict) for verdict in verdicts]
    assert build_report(judgements, strict=True).exit_code == status


@given(verdicts=VERDICTS, strict=st.booleans())
def test_warn_only_lets_regressions_pass_and_nothing_else(
    judgement: Callable[..., Judgement], verdicts: list[str], *, strict: bool
) -> None:
    def status(kept: list[str], *, warn_only: bool) -> int:
        judgements = [judgement(verdict=verdict, warn_only=warn_only) for verdict in kept]
        return build_report(judgements, strict=strict).exit_code

    others = [verdict for verdict in verdicts if verdict != "regression"]
    assert status(verdicts, warn_only=True) == (status(others, warn_only=False) if others else 0)


def test_a_bench_that_is_only_to_warn_excuses_no_other(judgement: Callable[..., Judgement]) -> None:
    warned, failing = judgement(bench_id="a", warn_only=True, change=2.0), judgement(bench_id="b")
    assert build_report([warned, judgement(verdict="pass")], strict=False).exit_code == 0
    assert build_report([warned, failing], strict=False).exit_code == 1
    assert build_report([warned, judgement(verdict="inconclusive")], strict=True).exit_code == 3


def test_the_level_is_promised_where_every_baseline_keeps_several_runs(judgement: Callable[..., Judgement]) -> None:
    kept = judgement(runs=2)
    assert build_report([kept], strict=False, level=0.01).level == 0.01
    assert build_report([kept, judgement(runs=1)], strict=False, level=0.01).level is None
    assert build_report([kept, judgement()], strict=False, level=0.01).level is None
    assert build_report([kept], strict=False).level is None


def test_the_better_evidence_says_which_bench_is_the_worst(judgement: Callable[..., Judgement]) -> None:
    benches = [
        judgement(bench_id="raw", change=0.5),
        judgement(bench_id="explained", change=2.0, change_adjusted=0.3, change_decisive=0.3),
        judgement(bench_id="revealed", change=0.0, change_adjusted=0.9, change_decisive=0.9),
        judgement(bench_id="ruler left", change=0.4, change_adjusted=7.0, change_decisive=0.4),
    ]
    ordered = build_report(benches, strict=False).benches
    assert [judged.bench_id for judged in ordered] == ["revealed", "raw", "ruler left", "explained"]


@given(verdicts=VERDICTS, random=st.randoms(use_true_random=False))
def test_the_order_of_the_benches_changes_neither_verdict_nor_status(
    judgement: Callable[..., Judgement], verdicts: list[str], random: object
) -> None:
    shuffled = list(verdicts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    reports = [
        build_report([judgement(verdict=verdict) for verdict in order], strict=True) for order in (verdicts, shuffled)
    ]
    assert reports[0] == reports[1]


def test_the_worst_bench_comes_first_and_equals_keep_their_order(judgement: Callable[..., Judgement]) -> None:
    benches = [
        judgement(bench_id="mild", change=0.25),
        judgement(bench_id="fine", verdict="pass", change=0.0),
        judgement(bench_id="broken", verdict="error", change=None),
        judgement(bench_id="awful", change=2.5),
        judgement(bench_id="fine too", verdict="pass", change=0.0),
    ]
    ordered = build_report(benches, strict=False).benches
    assert [judged.bench_id for judged in ordered] == ["broken", "awful", "mild", "fine", "fine too"]
