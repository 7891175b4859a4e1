from __future__ import annotations

import math
from datetime import date
from random import Random
from typing import TYPE_CHECKING

import pytest

from aether_guard.check.assessment import PRECISION_RATIO, Assessment
from aether_guard.check.estimate import Estimate
from aether_guard.check.judge import assess, judge_all
from aether_guard.check.policy import Policy
from aether_guard.check.reference import TYPICAL_DISAGREEMENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether_guard.check.verdict import Judgement
    from aether_schema import Summary

TODAY = date(2026, 11, 24)


def estimate_of(error: float, *, centre: float = 0.0, freedom: float = 8.0, widened: float = 0.0) -> Estimate:
    return Estimate(
        log_change=centre,
        std_error=error,
        dof=freedom,
        lower_is_better=True,
        chunk_length=12,
        sample_size=5,
        extra_half_width=widened,
    )


@pytest.fixture
def known(summary: Callable[..., Summary]) -> Callable[..., Assessment]:
    def build(raw: Estimate | None, ruled: Estimate | None) -> Assessment:
        return Assessment(baseline=summary(), current=summary(), policy=Policy(), gate=0.2, raw=raw, normalized=ruled)

    return build


def steady(value: float) -> list[list[float]]:
    return [[value] * 12 for _ in range(5)]


def judged(baseline: Summary, current: Summary, policy: Policy | None = None) -> Judgement:
    (judgement,) = judge_all([assess(baseline, current, policy or Policy(), TODAY)], 0.05)
    return judgement


def test_of_two_estimates_the_one_that_is_much_surer_decides(known: Callable[..., Assessment]) -> None:
    sure, unsure = estimate_of(0.01), estimate_of(0.02)
    assert known(raw=unsure, ruled=sure).decisive is sure
    assert known(raw=sure, ruled=unsure).decisive is sure


@pytest.mark.parametrize(("factor", "left"), [(0.99, False), (1.01, True)])
def test_the_ruler_is_left_only_where_the_figures_as_they_came_are_much_surer(
    known: Callable[..., Assessment], factor: float, *, left: bool
) -> None:
    for widened in (0.0, 0.5):
        raw, ruled = (estimate_of(error, widened=widened) for error in (0.01, 0.01 * PRECISION_RATIO * factor))
        assert known(raw=raw, ruled=ruled).ignores_reference == left
        assert known(raw=raw, ruled=ruled).decisive is (raw if left else ruled)


def test_rounding_does_not_choose_between_estimates_that_are_both_sure(known: Callable[..., Assessment]) -> None:
    raw, ruled = estimate_of(0.0), estimate_of(1e-16)
    assert known(raw=raw, ruled=ruled).decisive is ruled


def test_how_sure_an_estimate_is_counts_its_rounds(known: Callable[..., Assessment]) -> None:
    many, few = estimate_of(0.011, freedom=30), estimate_of(0.01, freedom=2)
    assert known(raw=many, ruled=few).decisive is many


def test_of_two_that_are_about_as_sure_the_one_by_the_ruler_decides(known: Callable[..., Assessment]) -> None:
    raw, ruled = estimate_of(0.01, centre=0.5), estimate_of(0.012, centre=0.1)
    assert known(raw=raw, ruled=ruled).decisive is ruled


def test_without_a_ruler_the_samples_as_they_came_decide_and_without_samples_nothing(
    known: Callable[..., Assessment],
) -> None:
    raw = estimate_of(0.01)
    for estimate in (raw, None):
        assert known(raw=estimate, ruled=None).decisive is estimate
        assert not known(raw=estimate, ruled=None).ignores_reference


def test_a_ruler_that_does_not_follow_its_bench_is_left(sampled: Callable[..., Summary]) -> None:
    draw = Random(1)
    wandering = [[0.4 * draw.uniform(0.7, 1.4)] * 12 for _ in range(10)]
    baseline = sampled(steady(10), rulers=wandering[:5])
    current = sampled(steady(10.5), rulers=[[value * 1.02 for value in values] for values in wandering[:5]])
    judgement = judged(baseline, current)
    assert judgement.verdict == "pass"
    assert judgement.change_decisive == pytest.approx(0.05)
    assert judgement.change_adjusted == pytest.approx(1.05 / 1.02 - 1)
    assert "the bench does not follow the reference" in judgement.reason


@pytest.mark.parametrize("slower", [1.5, 1 / 1.5])
def test_the_figures_as_they_came_are_no_surer_than_the_machine_was_steady(
    sampled: Callable[..., Summary], slower: float
) -> None:
    baseline = sampled(steady(10), rulers=steady(0.4))
    current = sampled(steady(10 * slower), rulers=[[0.4 * slower * near] * 12 for near in (0.9, 0.95, 1, 1.05, 1.1)])
    judgement = judged(baseline, current)
    assert judgement.change_decisive == judgement.change_adjusted
    assert judgement.change_decisive == pytest.approx(0, abs=0.02)


def test_a_machine_that_two_kernels_disagree_about_is_in_doubt_whichever_evidence_decides(
    sampled: Callable[..., Summary],
) -> None:
    wandering = [[0.4 * near] * 12 for near in (0.8, 0.9, 1, 1.1, 1.2)]
    baseline = sampled(steady(10), rulers=wandering, crossing=[0.3] * 5)
    current = sampled(steady(10), rulers=wandering, crossing=[0.3 * 2.0] * 5)
    judgement = judged(baseline, current)
    assert "the bench does not follow the reference" in judgement.reason
    unusual = 2.0 / math.exp(TYPICAL_DISAGREEMENT)
    assert judgement.interval == pytest.approx((1 / unusual - 1, unusual - 1))
    # No number of samples makes two kernels agree.
    assert (judgement.verdict, judgement.samples_needed) == ("inconclusive", None)
    assert "would settle it" not in judgement.reason


@pytest.mark.parametrize(("before", "after"), [(1e-300, 5e-324), (5e-324, 1e-300), (1e-300, 1e-280)])
def test_no_change_of_a_ruler_is_too_large_to_be_judged(
    sampled: Callable[..., Summary], before: float, after: float
) -> None:
    judgement = judged(sampled(steady(1e-310), rulers=steady(before)), sampled(steady(1e-310), rulers=steady(after)))
    assert judgement.change_decisive == judgement.change_adjusted
    assert judgement.change_adjusted == pytest.approx(before / after - 1)


def test_figures_alone_decide_by_themselves(summary: Callable[..., Summary]) -> None:
    judgement = judged(summary(p95=10.0), summary(p95=12.5))
    assert judgement.change_decisive == judgement.change == pytest.approx(0.25)
    assert judgement.change_adjusted is None


# The reference against flat contradiction.

MEDIAN = Policy(quantile="p50", gate=0.05)


@pytest.mark.parametrize("policy", [Policy(), MEDIAN])
@pytest.mark.parametrize("throughput", [False, True])
def test_a_bench_that_ignores_the_speed_of_the_cpu_is_no_regression_on_a_faster_machine(
    simulated: Callable[..., Summary], policy: Policy, *, throughput: bool
) -> None:
    draw = Random(31)
    for _ in range(30):
        baseline = simulated(draw, rounds=10, throughput=throughput)
        # The reference takes a quarter less, and the bench as long as before.
        current = simulated(draw, rounds=10, slowness=0.75, cost=1 / 0.75, throughput=throughput)
        judgement = judged(baseline, current, policy)
        assert judgement.verdict == "inconclusive"
        assert judgement.samples_needed is None
        assert "the reference contradicts the figures as measured" in judgement.reason


@pytest.mark.parametrize("policy", [Policy(), MEDIAN])
def test_a_true_regression_does_not_pass_where_the_reference_alone_got_slower(
    simulated: Callable[..., Summary], policy: Policy
) -> None:
    draw = Random(33)
    for _ in range(30):
        baseline = simulated(draw, rounds=10)
        current = simulated(draw, rounds=10, slowness=1.25, cost=1.3 / 1.25)
        assert judged(baseline, current, policy).verdict in {"inconclusive", "regression"}
