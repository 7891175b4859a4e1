from __future__ import annotations

from datetime import date
from random import Random
from typing import TYPE_CHECKING

import pytest

from aether_guard.check.aa_study import GATES, NoiseReport, StudySpec, evaluate_policy
from aether_guard.check.policy import Policy, Waiver

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aether_schema import Summary

TODAY = date(2026, 11, 24)
RECORDINGS = ("train_quiet", "train_noisy")


def measured(
    runs: Sequence[Summary], policy: Policy | None = None, *, slowdowns: tuple[float, ...] = (), rate: float = 0.002
) -> NoiseReport:
    question = StudySpec(slowdowns=slowdowns, wished_rate=rate, level=0.05)
    return evaluate_policy(runs, policy or Policy(), question, TODAY)


def test_every_ordered_pair_is_asked_as_it_is_and_with_every_slowdown(simulated: Callable[..., Summary]) -> None:
    draw = Random(1)
    report = measured([simulated(draw) for _ in range(5)], slowdowns=(0.1, 0.4))
    assert (report.bench_id, report.runs, report.pairs) == ("packaging", 5, 20)
    assert [outcome.slowdown for outcome in report.outcomes] == [0.0, 0.1, 0.4]
    assert report.wished_rate == 0.002


def test_of_runs_that_are_all_the_same_the_tightest_gate_is_the_smallest(sampled: Callable[..., Summary]) -> None:
    report = measured([sampled([[10.0] * 12] * 5)] * 3, slowdowns=(0.1, 0.2, 0.25))
    assert report.tightest_gate == GATES[0]
    assert [outcome.regressions for outcome in report.outcomes] == [0, 0, 0, 1]
    assert [outcome.inconclusive for outcome in report.outcomes] == [0, 0, 0, 0]


@pytest.mark.parametrize("throughput", [False, True])
def test_bare_figures_are_measured_by_the_plain_rule(summary: Callable[..., Summary], *, throughput: bool) -> None:
    runs = [summary(p95=p95, throughput=throughput) for p95 in (100.0, 110.0, 130.0)]
    report = measured(runs, slowdowns=(0.2,))
    # For a duration from 100 to 130, for a throughput back.
    assert report.outcomes[0].regressions == pytest.approx(1 / 6)
    # Whatever got worse at all is past the gate with 20 % on top, and what got better is not.
    assert report.outcomes[1].regressions == pytest.approx(3 / 6)


def test_a_current_of_0_is_measured_like_any_other(summary: Callable[..., Summary]) -> None:
    report = measured([summary(p95=10.0), summary(p95=0.0)], slowdowns=(0.1,))
    assert report.outcomes[0].regressions == 0


def test_slowing_a_throughput_down_makes_it_worse(simulated: Callable[..., Summary]) -> None:
    draw = Random(2)
    runs = [simulated(draw, throughput=True) for _ in range(6)]
    shares = [outcome.regressions for outcome in measured(runs, slowdowns=(0.3, 1.0)).outcomes]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)


def test_the_tightest_gate_keeps_the_rate_and_the_next_tighter_one_does_not(simulated: Callable[..., Summary]) -> None:
    draw = Random(3)
    runs = [simulated(draw, between=0.06) for _ in range(12)]
    report = measured(runs)
    assert report.tightest_gate is not None
    place = GATES.index(report.tightest_gate)
    assert place > 0

    def false_alarms(gate: float) -> float:
        return measured(runs, Policy(gate=gate)).outcomes[0].regressions

    assert false_alarms(GATES[place]) <= 0.002 < false_alarms(GATES[place - 1])


def test_a_rate_that_no_gate_keeps_is_said_to_be_kept_by_none(summary: Callable[..., Summary]) -> None:
    assert measured([summary(p95=10.0), summary(p95=100.0)]).tightest_gate is None
    assert measured([summary(p95=10.0), summary(p95=100.0)], rate=0.5).tightest_gate == GATES[0]


def test_a_waiver_in_force_is_measured_with_the_gate_it_gives(summary: Callable[..., Summary]) -> None:
    runs = [summary(p95=10.0), summary(p95=14.0)]
    waiver = Waiver(bench="*", gate=0.5, reason="a larger manifest", expires=TODAY)
    assert measured(runs).outcomes[0].regressions == 0.5
    assert measured(runs, Policy(waiver=waiver)).outcomes[0].regressions == 0


def test_what_a_pair_would_be_judged_it_is_counted_as(simulated: Callable[..., Summary]) -> None:
    draw = Random(5)
    runs = [simulated(draw, between=0.1, ruler=False) for _ in range(6)]
    report = measured(runs, Policy(gate=0.05), slowdowns=(0.05,))
    for outcome in report.outcomes:
        assert 0 <= outcome.regressions <= 1
        assert outcome.regressions + outcome.inconclusive <= 1
    assert report.outcomes[0].inconclusive > 0
    assert report.outcomes[1].regressions > report.outcomes[0].regressions


def test_pairs_that_cannot_be_compared_are_left_out_and_counted_and_the_first_reason_is_given(
    sampled: Callable[..., Summary],
) -> None:
    alike = [sampled([[10.0] * 12] * 5, params={"files": 100}) for _ in range(3)]
    other = sampled([[10.0] * 12] * 5, params={"files": 1000})
    report = measured([*alike, other], slowdowns=(0.4,))
    assert (report.pairs, report.errors) == (12, 6)
    assert report.problem == "params.files differs: 100 in the baseline, 1000 now"
    # Shares are of the pairs that were judged.
    assert [outcome.regressions for outcome in report.outcomes] == [0.0, 1.0]


def test_where_every_pair_can_be_compared_none_is_left_out(sampled: Callable[..., Summary]) -> None:
    report = measured([sampled([[10.0] * 12] * 5)] * 2)
    assert (report.errors, report.problem) == (0, None)


def test_where_no_pair_can_be_compared_that_is_what_is_reported(sampled: Callable[..., Summary]) -> None:
    report = measured([sampled([[10.0] * 12] * 5)] * 2, Policy(evidence="ruler"))
    assert report.errors == report.pairs == 2
    assert report.problem == "the policy asks for the same reference on both sides"


def test_slowed_down_the_figures_that_decide_are_the_surer_ones(sampled: Callable[..., Summary]) -> None:
    wandering = [[0.4 * near] * 12 for near in (0.8, 0.9, 1.0, 1.1, 1.2)]
    followed, left = (
        [sampled([[10.0] * 12] * 5, rulers=rulers) for _ in range(2)] for rulers in ([[0.4] * 12] * 5, wandering)
    )
    for runs in (followed, left):
        assert [outcome.regressions for outcome in measured(runs, slowdowns=(0.3,)).outcomes] == [0.0, 1.0]


# The claim, over recorded runs of unchanged code.


@pytest.mark.parametrize("recording", RECORDINGS)
def test_over_recorded_runs_the_usual_policy_cries_no_wolf_and_finds_what_is_there(
    recorded: Callable[[str], list[Summary]], recording: str
) -> None:
    report = measured(recorded(recording), slowdowns=(0.3, 0.4))
    unchanged, third, more = report.outcomes
    assert report.pairs == 60 * 59
    assert unchanged.regressions <= 0.002
    assert third.regressions >= 0.95
    assert more.regressions >= 0.99
    assert max(outcome.inconclusive for outcome in report.outcomes) <= 0.05


@pytest.mark.parametrize("recording", RECORDINGS)
def test_over_recorded_runs_a_gate_of_5_percent_on_the_median_finds_10(
    recorded: Callable[[str], list[Summary]], recording: str
) -> None:
    unchanged, tenth = measured(recorded(recording), Policy(quantile="p50", gate=0.05), slowdowns=(0.1,)).outcomes
    assert unchanged.regressions <= 0.001
    assert tenth.regressions >= 0.99
    assert max(unchanged.inconclusive, tenth.inconclusive) <= 0.05


@pytest.mark.parametrize("recording", RECORDINGS)
def test_over_recorded_runs_the_plain_rule_would_cry_wolf(
    recorded: Callable[[str], list[Summary]], summary: Callable[..., Summary], recording: str
) -> None:
    bare = [summary(p50=run.p50, p95=run.p95, n=run.n) for run in recorded(recording)]
    assert measured(bare).outcomes[0].regressions > 0.01
