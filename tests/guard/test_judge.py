from __future__ import annotations

import math
import re
from datetime import date
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from aether_guard.check.baseline_runs import keep_runs
from aether_guard.check.estimate import MIN_SAMPLES_FOR_P95, Estimate
from aether_guard.check.files import LoadedSummary
from aether_guard.check.judge import TOLERANCE, Assessment, assess, holm_rejections, judge, judge_all, worsening
from aether_guard.check.policy import Policy, Waiver
from aether_guard.check.reference import CORRECTION_UNCERTAINTY, TYPICAL_DISAGREEMENT
from aether_guard.check.statistic_choice import Choice
from aether_guard.check.verdict import build_report
from aether_guard.stats.t_distribution import t_ppf
from aether_schema import Levels, Phase, RunLevels

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether_guard.check.verdict import Judgement
    from aether_schema import Summary

FIGURE = st.floats(min_value=1e-6, max_value=1e9)
GATE = st.sampled_from([0.0, 0.02, 0.05, 0.1, 0.2, 1 / 3, 0.5, 1.0])


TODAY = date(2026, 11, 24)
LEVEL = 0.05


def compare(baseline: Summary, current: Summary, policy: Policy) -> Judgement:
    (judged,) = judge_all([assess(baseline, current, policy, TODAY)], LEVEL)
    return judged


def test_the_usual_gate_is_20_percent_on_p95() -> None:
    assert (Policy().gate, Policy().quantile) == (0.2, "p95")


@pytest.mark.parametrize(
    ("throughput", "figures", "verdict", "change"),
    [
        (False, (10, 12.5), "regression", 0.25),
        (False, (10, 11), "pass", 0.1),
        (False, (10, 10), "pass", 0),
        (False, (10, 9), "pass", -0.1),
        (False, (10, 5), "improvement", -0.5),
        (True, (1000, 750), "regression", 0.25),
        (True, (1000, 900), "pass", 0.1),
        (True, (1000, 1000), "pass", 0),
        (True, (1000, 1100), "pass", -0.1),
        (True, (1000, 1500), "improvement", -0.5),
        (True, (1000, 0), "regression", 1),
    ],
)
def test_a_longer_duration_and_a_lower_throughput_are_worse(
    summary: Callable[..., Summary], *, throughput: bool, figures: tuple[float, float], verdict: str, change: float
) -> None:
    before, after = figures
    judged = compare(summary(throughput=throughput, p95=before), summary(throughput=throughput, p95=after), Policy())
    assert judged.verdict == verdict
    assert judged.change == pytest.approx(change)
    assert (judged.baseline, judged.current) == (before, after)


@pytest.mark.parametrize(("better", "verdict"), [("lower", "regression"), ("higher", "improvement")])
def test_a_plain_value_says_itself_which_way_is_worse(
    summary: Callable[..., Summary], better: str, verdict: str
) -> None:
    value = {"metric": "value", "unit": "requests", "better": better}
    assert compare(summary(**value), summary(**value, p95=15.0), Policy()).verdict == verdict


@given(before=FIGURE, gate=GATE)
def test_a_duration_exactly_at_the_gate_passes_however_it_rounds(
    summary: Callable[..., Summary], before: float, gate: float
) -> None:
    assert compare(summary(p95=before), summary(p95=before * (1 + gate)), Policy(gate=gate)).verdict == "pass"


@given(before=FIGURE, gate=GATE)
def test_a_throughput_exactly_at_the_gate_passes_however_it_rounds(
    summary: Callable[..., Summary], before: float, gate: float
) -> None:
    current = summary(throughput=True, p95=before * (1 - gate))
    assert compare(summary(throughput=True, p95=before), current, Policy(gate=gate)).verdict == "pass"


@given(before=FIGURE, gate=GATE)
def test_a_millionth_beyond_the_gate_is_a_regression(
    summary: Callable[..., Summary], before: float, gate: float
) -> None:
    current = summary(p95=before * (1 + gate + 1e-6))
    assert compare(summary(p95=before), current, Policy(gate=gate)).verdict == "regression"


@given(before=FIGURE, after=FIGURE)
def test_what_is_worse_one_way_is_better_by_as_much_the_other_way(before: float, after: float) -> None:
    lower = worsening(before, after, lower_is_better=True)
    assert lower == -worsening(before, after, lower_is_better=False)
    assert (lower > 0) == (after / before > 1)


@given(before=FIGURE, after=FIGURE, lower=st.booleans())
def test_the_two_sides_exchanged_the_worsening_changes_its_sign(before: float, after: float, *, lower: bool) -> None:
    there = worsening(before, after, lower_is_better=lower)
    back = worsening(after, before, lower_is_better=lower)
    assert there * back <= 0


@given(before=FIGURE, after=FIGURE, power=st.integers(-30, 30), lower=st.booleans())
def test_a_change_of_unit_changes_no_worsening(before: float, after: float, power: int, *, lower: bool) -> None:
    scaled = worsening(math.ldexp(before, power), math.ldexp(after, power), lower_is_better=lower)
    assert scaled == worsening(before, after, lower_is_better=lower)


@given(before=FIGURE, after=FIGURE, factor=st.floats(1e-6, 1e6), throughput=st.booleans())
def test_a_change_of_unit_changes_no_verdict(
    summary: Callable[..., Summary], before: float, after: float, factor: float, *, throughput: bool
) -> None:
    change = worsening(before, after, lower_is_better=not throughput)
    assume(abs(abs(change) - 0.2) > 3 * TOLERANCE)

    def verdict(scale: float) -> str:
        figures = (summary(throughput=throughput, p95=figure * scale) for figure in (before, after))
        return compare(*figures, Policy()).verdict

    assert verdict(factor) == verdict(1)


@given(change=st.floats(-1, 10), more=st.floats(0, 10), gate=GATE)
def test_more_of_a_worsening_is_never_a_better_verdict(change: float, more: float, gate: float) -> None:
    order = ["improvement", "pass", "regression"]
    assert order.index(judge(change + more, gate)) >= order.index(judge(change, gate))


def test_the_quantile_of_the_rule_is_the_one_judged(summary: Callable[..., Summary]) -> None:
    before, after = summary(p50=5.0, p95=10.0), summary(p50=9.0, p95=10.0)
    assert compare(before, after, Policy(quantile="p95")).verdict == "pass"
    judged = compare(before, after, Policy(quantile="p50"))
    assert (judged.verdict, judged.quantile, judged.baseline, judged.current) == ("regression", "p50", 5.0, 9.0)


def test_the_reason_says_how_much_and_against_which_gate(summary: Callable[..., Summary]) -> None:
    assert compare(summary(), summary(p95=12.5), Policy()).reason == "p95 25.0 % worse, gate 20 %"


@pytest.mark.parametrize("after", [0.0, 10.0])
def test_a_baseline_of_0_is_an_error(summary: Callable[..., Summary], after: float) -> None:
    judged = compare(summary(p95=0.0), summary(p95=after), Policy())
    assert judged.verdict == "error"
    assert judged.reason.startswith("p95: 0 in the baseline")
    assert judged.change is None


def test_a_baseline_too_small_for_a_finite_change_is_an_error(summary: Callable[..., Summary]) -> None:
    assert compare(summary(p95=5e-324), summary(p95=1e9), Policy()).verdict == "error"


def test_a_current_of_0_is_an_improvement_of_a_duration(summary: Callable[..., Summary]) -> None:
    assert compare(summary(), summary(p95=0.0), Policy()).change == -1


VALUE = {"metric": "value", "unit": "ms", "better": "lower"}


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ({}, {"bench_id": "streaming"}, "bench_id"),
        ({}, VALUE, "metric"),
        (VALUE, {**VALUE, "unit": "s"}, "unit"),
        (VALUE, {**VALUE, "better": "higher"}, "better"),
        ({"params": {"files": 100}}, {"params": {"files": 1000}}, "params.files"),
        ({"params": {"files": 100}}, {"params": {"files": 100, "level": 9}}, "params.level"),
        ({"params": {"files": 100}}, {"params": {"files": "100"}}, "params.files"),
    ],
)
def test_what_differs_in_kind_is_not_compared_and_the_key_is_named(
    summary: Callable[..., Summary], before: dict[str, Any], after: dict[str, Any], key: str
) -> None:
    judged = compare(summary(**before), summary(**after), Policy())
    assert judged.verdict == "error"
    assert judged.reason.startswith(f"{key} differs: ")
    assert judged.change is None


def test_metrics_of_opposite_directions_are_not_compared(summary: Callable[..., Summary]) -> None:
    judged = compare(summary(), summary(throughput=True), Policy())
    assert (judged.verdict, judged.reason.split(" ")[0]) == ("error", "metric")


@pytest.mark.parametrize("given_params", [None, {}])
def test_a_side_that_states_no_params_is_compared(
    summary: Callable[..., Summary], given_params: dict[str, Any] | None
) -> None:
    stated = summary(params={"files": 100})
    assert compare(summary(params=given_params), stated, Policy()).verdict == "pass"
    assert compare(stated, summary(params=given_params), Policy()).verdict == "pass"


# With samples on both sides.

HERE, THERE = {"os": "Linux", "cpu_model": "A"}, {"os": "Linux", "cpu_model": "B", "libc": "musl"}
SLOWER = (1.6, 1 / 1.6)


def steady(value: float, rounds: int = 5, samples: int = 12) -> list[list[float]]:
    return [[value] * samples for _ in range(rounds)]


def test_steady_samples_are_judged_like_plain_figures(sampled: Callable[..., Summary]) -> None:
    for factor, verdict in ((1.25, "regression"), (1.1, "pass"), (1.2, "pass"), (0.5, "improvement")):
        judged = compare(sampled(steady(10)), sampled(steady(10 * factor)), Policy())
        assert judged.verdict == verdict
        assert judged.interval == pytest.approx((factor - 1, factor - 1))
        assert judged.change_adjusted is None


@pytest.mark.parametrize("throughput", [False, True])
def test_a_regression_with_samples_is_found_and_unchanged_code_passes(
    simulated: Callable[..., Summary], *, throughput: bool
) -> None:
    draw = Random(3)
    verdicts = {}
    for cost in (1.0, 1.5, 0.5):
        sides = (simulated(draw, throughput=throughput), simulated(draw, cost=cost, throughput=throughput))
        verdicts[cost] = compare(*sides, Policy()).verdict
    assert verdicts == {1.0: "pass", 1.5: "regression", 0.5: "improvement"}


def test_one_bad_round_is_no_evidence_and_what_it_takes_is_said(sampled: Callable[..., Summary]) -> None:
    current = sampled([*steady(10, rounds=4), [40.0] * 12])
    judged = compare(sampled(steady(10)), current, Policy())
    assert judged.change == pytest.approx(3)
    assert judged.verdict == "inconclusive"
    assert judged.samples_needed is not None
    assert judged.samples_needed > 60
    assert judged.samples_needed % 12 == 0


def test_no_p95_is_said_to_be_settled_by_fewer_samples_than_bound_it(simulated: Callable[..., Summary]) -> None:
    draw = Random(5)
    needed = []
    for _ in range(60):
        sides = [simulated(draw, cost=cost, rounds=3, samples=3, within=0.1) for cost in (1.0, 1.2)]
        needed.append(compare(*sides, Policy()).samples_needed)
    told = [count for count in needed if count is not None]
    assert told
    assert min(told) == MIN_SAMPLES_FOR_P95


def test_an_interval_that_reaches_past_the_gate_does_not_pass(simulated: Callable[..., Summary]) -> None:
    draw = Random(7)
    verdicts = set()
    for _ in range(50):
        judged = compare(simulated(draw, between=0.1), simulated(draw, between=0.1, cost=1.1), Policy())
        assert judged.interval is not None
        assert (judged.verdict == "pass") <= (judged.interval[1] <= 0.2 + TOLERANCE)
        verdicts.add(judged.verdict)
    assert {"pass", "inconclusive"} <= verdicts


def test_zeros_among_the_samples_leave_the_plain_rule(sampled: Callable[..., Summary]) -> None:
    mostly_zero = sampled([[0.0] * 11 + [10.0]] * 5)
    assert mostly_zero.p95 > 0
    judged = compare(mostly_zero, sampled([[0.0] * 11 + [20.0]] * 5), Policy(quantile="p95"))
    assert judged.verdict == "regression"
    zeros = sampled([*[[0.0] * 12] * 4, [10.0] * 12])
    judged = compare(zeros, sampled([*[[0.0] * 12] * 4, [20.0] * 12]), Policy())
    assert (judged.verdict, judged.interval) == ("regression", None)


# Raw and by the ruler, where one hides what the other shows.


@pytest.mark.parametrize("throughput", [False, True])
def test_what_the_machine_explains_is_no_regression_and_both_figures_are_there(
    simulated: Callable[..., Summary], *, throughput: bool
) -> None:
    draw = Random(11)
    for _ in range(20):
        sides = [
            simulated(draw, rounds=10, slowness=slowness, wanders=0.08, throughput=throughput) for slowness in (1, 1.5)
        ]
        judged = compare(*sides, Policy())
        assert judged.change is not None
        assert judged.change_adjusted is not None
        assert judged.change > 0.2
        assert judged.change_adjusted == pytest.approx(0, abs=0.15)
        assert judged.verdict in {"pass", "inconclusive"}
        assert re.search(r"; as measured .* worse, on a machine .* % slower by the reference", judged.reason)


@pytest.mark.parametrize("throughput", [False, True])
def test_what_a_faster_machine_hides_the_ruler_reveals(simulated: Callable[..., Summary], *, throughput: bool) -> None:
    draw = Random(13)
    for _ in range(20):
        sides = (
            simulated(draw, rounds=10, wanders=0.08, throughput=throughput),
            simulated(draw, rounds=10, slowness=1 / 1.6, cost=1.6, wanders=0.08, throughput=throughput),
        )
        judged = compare(*sides, Policy())
        assert judged.change == pytest.approx(0, abs=0.3)
        assert judged.verdict == "regression"
        assert judged.reason.endswith(" faster by the reference")


def test_drift_within_a_run_is_taken_out_by_the_ruler_beside_each_sample(simulated: Callable[..., Summary]) -> None:
    draw = Random(17)
    before, after = simulated(draw, drift=0.4), simulated(draw, drift=0.4, cost=1.5)
    assert compare(before, after, Policy()).verdict == "regression"


# Another machine.


@pytest.mark.parametrize("slowness", SLOWER)
@pytest.mark.parametrize("throughput", [False, True])
def test_another_machine_hides_no_regression_and_makes_none(
    simulated: Callable[..., Summary], slowness: float, *, throughput: bool
) -> None:
    draw = Random(19)
    found: dict[float, list[str]] = {1.0: [], 1.3: []}
    for cost, verdicts in found.items():
        for _ in range(100):
            moving = {"rounds": 10, "wanders": 0.08, "throughput": throughput}
            baseline = simulated(draw, environment=HERE, **moving)
            current = simulated(draw, environment=THERE, cost=cost, slowness=slowness, **moving)
            # What costs 1.3 times as much does 23 % less in the same time: the gate in the metric's own terms.
            judged = compare(baseline, current, Policy(gate=0.15 if throughput else 0.2))
            assert "the machines differ in cpu_model, libc" in judged.reason
            verdicts.append(judged.verdict)
    assert set(found[1.3]) <= {"regression", "inconclusive"}
    assert found[1.3].count("regression") >= 80
    assert set(found[1.0]) <= {"pass", "inconclusive"}
    assert found[1.0].count("pass") >= 80


def test_a_second_kernel_that_disagrees_widens_the_interval_by_as_much(sampled: Callable[..., Summary]) -> None:
    baseline = sampled(steady(10), rulers=steady(0.4), crossing=[0.3] * 5, environment=HERE)
    current = sampled(steady(15), rulers=steady(0.6), crossing=[0.3 * 1.2] * 5, environment=THERE)
    judged = compare(baseline, current, Policy())
    # Of steady samples only the correction itself is uncertain, and the second kernel's doubt comes on top.
    doubt = math.log(1.5 / 1.2)
    correction = t_ppf(0.95, 8) * CORRECTION_UNCERTAINTY * math.log(1.5)
    assert judged.change_adjusted == pytest.approx(0)
    assert judged.interval == pytest.approx((math.expm1(-doubt - correction), math.expm1(doubt + correction)))
    assert judged.verdict == "inconclusive"


def test_from_another_machine_a_regression_within_the_doubt_of_the_ruler_is_not_called_one(
    sampled: Callable[..., Summary],
) -> None:
    baseline = sampled(steady(10), rulers=steady(0.4), crossing=[0.3] * 5, environment=HERE)
    doubted, agreed = (
        sampled(steady(20), rulers=steady(0.6), crossing=[0.3 * crossed] * 5, environment=THERE)
        for crossed in (1.1, 1.5)
    )
    assert compare(baseline, doubted, Policy()).verdict == "inconclusive"
    assert compare(baseline, agreed, Policy()).verdict == "regression"


@pytest.mark.parametrize(("crossed", "doubted"), [(1.05, False), (1.2, True)])
def test_on_one_machine_the_second_kernel_is_asked_only_where_it_is_far_off(
    sampled: Callable[..., Summary], crossed: float, *, doubted: bool
) -> None:
    baseline = sampled(steady(10), rulers=steady(0.4), crossing=[0.3] * 5, environment=HERE)
    current = sampled(steady(10), rulers=steady(0.4), crossing=[0.3 * crossed] * 5, environment=HERE)
    judged = compare(baseline, current, Policy())
    assert judged.interval is not None
    assert judged.interval[1] == pytest.approx(1.2 / math.exp(TYPICAL_DISAGREEMENT) - 1 if doubted else 0)
    assert ("the two reference kernels disagree by 18.2 %" in judged.reason) == doubted


@pytest.mark.parametrize(
    ("worse", "verdict"), [(0.3, "inconclusive"), (1.0, "inconclusive"), (1.9, "inconclusive"), (3.0, "regression")]
)
@pytest.mark.parametrize(
    "rulers",
    [
        pytest.param(({}, {}), id="no ruler"),
        pytest.param(({"rulers": steady(0.4)}, {}), id="a ruler on one side"),
        pytest.param(({"rulers": steady(0.4)}, {"rulers": steady(0.4)}), id="no second kernel"),
        pytest.param(({"rulers": steady(0.4)}, {"rulers": steady(0.4), "kernel": "other"}), id="other kernels"),
    ],
)
def test_other_hardware_without_a_reference_is_in_doubt_up_to_a_factor_of_two(
    sampled: Callable[..., Summary], rulers: tuple[dict[str, Any], dict[str, Any]], worse: float, verdict: str
) -> None:
    baseline = sampled(steady(10), environment=HERE, **rulers[0])
    current = sampled(steady(10 * worse), environment=THERE, **rulers[1])
    judged = compare(baseline, current, Policy())
    assert (judged.verdict, judged.samples_needed) == (verdict, None)
    assert "the machines differ in cpu_model, libc and no " in judged.reason
    assert ("by a factor of at most two" in judged.reason) == (verdict == "regression")


@pytest.mark.parametrize(("worse", "verdict"), [(1.5, "inconclusive"), (2.1, "regression")])
def test_figures_from_other_hardware_are_in_doubt_as_well(
    summary: Callable[..., Summary], worse: float, verdict: str
) -> None:
    judged = compare(summary(environment=HERE), summary(environment=THERE, p95=10 * worse), Policy())
    assert judged.verdict == verdict


def test_another_version_of_the_language_is_judged_and_shown(sampled: Callable[..., Summary]) -> None:
    baseline = sampled(steady(10), environment={"python": "3.11.7", "measured": {"attrs": "1", "cattrs": "1"}})
    current = sampled(steady(13), environment={"python": "3.12.1", "measured": {"attrs": "2", "cattrs": "1"}})
    judged = compare(baseline, current, Policy(host_mismatch="error"))
    assert judged.verdict == "regression"
    assert "attrs 1 before, 2 now, python 3.11.7 before, 3.12.1 now" in judged.reason


# The statistic that is judged is one that both sides hold.


def test_without_a_p95_on_a_side_the_middle_of_both_is_judged(summary: Callable[..., Summary]) -> None:
    without = summary(p50=5.0, p95=5.0, statistics=("p50",))
    judged = compare(without, summary(p50=5.0, p95=11.0), Policy())
    assert (judged.verdict, judged.quantile, judged.change) == ("pass", "p50", 0.0)
    assert "p50 is judged: the baseline holds no p95, only p50" in judged.reason
    slower = compare(summary(p50=5.0, p95=11.0), summary(p50=10.8, p95=10.8, statistics=("p50",)), Policy())
    assert (slower.verdict, slower.quantile) == ("regression", "p50")
    assert "the current side holds no p95" in slower.reason


def test_a_quantile_asked_for_by_name_is_not_replaced(summary: Callable[..., Summary]) -> None:
    without = summary(p50=5.0, p95=5.0, statistics=("p50",))
    judged = compare(without, summary(p50=5.0), Policy(sources={"quantile": "command line"}))
    assert judged.verdict == "error"
    assert judged.reason.startswith("p95: the baseline holds no p95, only p50; choose another with --quantile")


def test_a_mean_is_compared_with_a_mean_only(summary: Callable[..., Summary], sampled: Callable[..., Summary]) -> None:
    mean = summary(p50=10.0, p95=10.0, statistics=("mean",))
    judged = compare(mean, sampled([[5.0] * 6 + [15.0] * 6] * 2), Policy())
    assert (judged.verdict, judged.quantile, judged.current) == ("pass", "mean", 10.0)
    assert compare(mean, summary(p50=9.0), Policy()).verdict == "error"


@pytest.mark.parametrize("slow", [[1000.0] * 6 + [500.0] * 6, [900.0] * 6 + [500.0] * 6])
def test_the_slow_tail_of_a_throughput_is_judged(sampled: Callable[..., Summary], slow: list[float]) -> None:
    judged = compare(sampled([[1000.0] * 12] * 5, throughput=True), sampled([slow] * 5, throughput=True), Policy())
    assert (judged.verdict, judged.quantile, judged.change) == ("regression", "p5", 0.5)
    assert judged.reason.startswith("p5 50.0 % worse")


def test_a_throughput_without_samples_is_judged_on_p95(summary: Callable[..., Summary]) -> None:
    judged = compare(summary(throughput=True), summary(throughput=True, p95=7.0), Policy())
    assert (judged.verdict, judged.quantile) == ("regression", "p95")
    carried = compare(summary(throughput=True, p50=9.0, p5=8.0), summary(throughput=True, p50=9.0, p5=4.0), Policy())
    assert (carried.verdict, carried.quantile) == ("regression", "p5")


def test_rounds_of_single_samples_have_a_middle_with_an_interval(sampled: Callable[..., Summary]) -> None:
    before, after = ([[value * scale] for value in (10.0, 10.1, 9.9, 10.05, 9.95)] for scale in (1.0, 1.3))
    judged = compare(sampled(before), sampled(after), Policy(quantile="p50"))
    assert (judged.verdict, judged.processes) == ("regression", (5, 5))
    assert judged.interval is not None


def test_too_few_samples_for_an_interval_are_named(sampled: Callable[..., Summary]) -> None:
    judged = compare(sampled([[10.0, 10.1]]), sampled([[13.0, 13.2]]), Policy())
    assert (judged.verdict, judged.interval, judged.processes) == ("regression", None, None)
    assert "too few samples for an interval: the two figures alone decide" in judged.reason


def test_the_keys_in_which_bare_figures_differ_are_named(summary: Callable[..., Summary]) -> None:
    judged = compare(summary(environment=HERE), summary(environment=THERE), Policy())
    assert "the machines differ in cpu_model, libc" in judged.reason


def test_machines_that_differ_are_ignored_where_that_is_the_policy(sampled: Callable[..., Summary]) -> None:
    policy = Policy(host_mismatch="ignore")
    for factor, verdict in ((1.0, "pass"), (1.3, "regression")):
        sides = (sampled(steady(10), environment=HERE), sampled(steady(10 * factor), environment=THERE))
        judged = compare(*sides, policy)
        assert judged.verdict == verdict
        assert "machines" not in judged.reason


@pytest.mark.parametrize("with_samples", [False, True])
def test_machines_that_differ_are_an_error_where_that_is_the_policy(
    summary: Callable[..., Summary], sampled: Callable[..., Summary], *, with_samples: bool
) -> None:
    def side(environment: dict[str, str]) -> Summary:
        return sampled(steady(10), environment=environment) if with_samples else summary(environment=environment)

    judged = compare(side(HERE), side(THERE), Policy(host_mismatch="error"))
    assert (judged.verdict, judged.reason) == ("error", "the machines differ in cpu_model, libc")
    assert compare(side(HERE), side(HERE), Policy(host_mismatch="error")).verdict == "pass"


# What a policy asks for.


@pytest.mark.parametrize(
    ("evidence", "brought", "lacks"),
    [
        ("any", "nothing", None),
        ("samples", "nothing", "samples on both sides"),
        ("samples", "samples", None),
        ("samples", "a ruler", None),
        ("ruler", "nothing", "samples on both sides"),
        ("ruler", "samples", "the same reference on both sides"),
        ("ruler", "another ruler", "the same reference on both sides"),
        ("ruler", "a ruler", None),
    ],
)
def test_evidence_that_a_policy_asks_for_and_a_side_lacks_is_an_error(
    summary: Callable[..., Summary], sampled: Callable[..., Summary], evidence: Any, brought: str, lacks: str | None
) -> None:
    whole = sampled(steady(10), rulers=steady(0.4))
    other = {
        "nothing": summary(p50=10.0),
        "samples": sampled(steady(10)),
        "another ruler": sampled(steady(10), rulers=steady(0.4), kernel="other"),
        "a ruler": whole,
    }[brought]
    for sides in ((whole, other), (other, whole)):
        judged = compare(*sides, Policy(evidence=evidence))
        assert judged.verdict == ("pass" if lacks is None else "error")
        if lacks is not None:
            assert judged.reason == f"the policy asks for {lacks}"


def waived(last_day: date, gate: float = 0.5) -> Policy:
    return Policy(waiver=Waiver(bench="*", gate=gate, reason="a larger manifest", expires=last_day))


def test_a_waiver_is_a_larger_gate_for_a_while(summary: Callable[..., Summary]) -> None:
    assert compare(summary(), summary(p95=14.0), Policy()).verdict == "regression"
    judged = compare(summary(), summary(p95=14.0), waived(TODAY))
    assert (judged.verdict, judged.gate) == ("pass", 0.5)
    assert judged.reason.endswith("gate 50 %; waived up to 50 % until 2026-11-24: a larger manifest")
    assert compare(summary(), summary(p95=16.0), waived(TODAY)).verdict == "regression"


def test_a_waiver_makes_no_gate_smaller(summary: Callable[..., Summary]) -> None:
    assert compare(summary(), summary(p95=11.5), waived(TODAY, gate=0.1)).verdict == "pass"


@pytest.mark.parametrize("after", [10.0, 14.0])
def test_an_expired_waiver_fails_whatever_the_figures_say(summary: Callable[..., Summary], after: float) -> None:
    judged = compare(summary(), summary(p95=after), waived(date(2026, 11, 23)))
    assert judged.verdict == "error"
    assert judged.reason == "its waiver expired on 2026-11-23: a larger manifest"


def test_a_judgement_says_whether_its_policy_is_to_warn_only(summary: Callable[..., Summary]) -> None:
    for warn_only in (False, True):
        judged = compare(summary(), summary(p95=14.0), Policy(warn_only=warn_only))
        assert (judged.verdict, judged.warn_only) == ("regression", warn_only)


# Phases.


def phases(**medians: float) -> dict[str, Phase]:
    return {name: Phase(p50=median, p95=2 * median) for name, median in medians.items()}


def test_the_phase_that_moved_most_is_named(summary: Callable[..., Summary]) -> None:
    before = summary(phases=phases(hash=1.0, compress=5.0, write=4.0))
    after = summary(phases=phases(hash=3.0, compress=5.5, write=4.0), p95=14.0)
    judged = compare(before, after, Policy())
    assert judged.moved_phase == "hash"
    assert judged.reason.endswith("; mostly in phase hash")
    assert compare(after, before, Policy()).moved_phase == "hash"
    assert compare(before, before, Policy()).moved_phase is None


def test_the_phase_named_moved_the_way_the_whole_did(summary: Callable[..., Summary]) -> None:
    before = summary(phases=phases(hash=1.0, compress=5.0))
    after = summary(phases=phases(hash=3.0, compress=2.0), p95=14.0)
    assert compare(before, after, Policy()).moved_phase == "hash"


def test_where_no_phase_moved_none_is_named(summary: Callable[..., Summary]) -> None:
    still = phases(hash=1.0, compress=5.0)
    assert compare(summary(phases=still), summary(phases=still, p95=14.0), Policy()).moved_phase is None


# Many benches.


def test_holm_rejects_step_by_step() -> None:
    assert holm_rejections({}, 0.05) == set()
    assert holm_rejections({0: 0.05}, 0.05) == {0}
    assert holm_rejections({0: 0.01, 1: 0.04, 2: 0.03}, 0.05) == {0}
    assert holm_rejections({0: 0.01, 1: 0.04, 2: 0.02}, 0.05) == {0, 1, 2}
    assert holm_rejections({0: 0.02, 1: 0.02, 2: 0.02}, 0.05) == set()


@given(st.lists(st.floats(0, 1), max_size=20), st.floats(0.001, 0.5))
def test_holm_rejects_all_that_bonferroni_does_and_none_above_the_level(chances: list[float], level: float) -> None:
    rejected = holm_rejections(dict(enumerate(chances)), level)
    assert {index for index, chance in enumerate(chances) if chance <= level / len(chances)} <= rejected
    assert all(chances[index] <= level for index in rejected)


@pytest.mark.parametrize(("benches", "builds"), [(1, 3000), (5, 1000), (20, 200)])
def test_a_build_in_which_nothing_got_worse_goes_red_no_more_often_than_the_level_says(
    simulated: Callable[..., Summary], benches: int, builds: int
) -> None:
    draw = Random(23)
    # A gate that chance alone often passes, and a true worsening of all that the level allows for.
    policy = Policy(gate=0.04, quantile="p50")

    def quick(cost: float) -> Summary:
        return simulated(draw, rounds=3, samples=3, cost=cost, between=0.05, within=0.02, ruler=False)

    red = beyond_the_gate = 0
    for _ in range(builds):
        judgements = judge_all([assess(quick(1.0), quick(1.01), policy, TODAY) for _ in range(benches)], LEVEL)
        red += any(judged.verdict == "regression" for judged in judgements)
        beyond_the_gate += any(judged.change is not None and judged.change > policy.gate for judged in judgements)
    assert red / builds <= LEVEL + 2 * math.sqrt(LEVEL * (1 - LEVEL) / builds)
    # The figures alone would have failed far more of them.
    assert beyond_the_gate / builds > 3 * LEVEL


@pytest.mark.parametrize(("kept", "least", "most"), [(1, 0.3, 1.0), (5, 0.0, LEVEL)])
def test_runs_that_differ_fail_a_build_of_unchanged_code_unless_the_baseline_keeps_several(
    simulated: Callable[..., Summary], kept: int, least: float, most: float
) -> None:
    draw = Random(29)
    policy, builds, benches = Policy(gate=0.02, quantile="p50"), 150, 10

    def run(day: int) -> Summary:
        effect = math.exp(draw.gauss(0, 0.03))
        timestamp = f"2026-01-{day:02}"
        return simulated(draw, rounds=3, samples=3, cost=effect, within=0.01, ruler=False, timestamp=timestamp)

    def bench() -> Assessment:
        baseline = keep_runs([LoadedSummary("run", run(day)) for day in range(1, kept + 1)], None, kept)
        return assess(baseline, run(9), policy, TODAY)

    red = 0
    for _ in range(builds):
        report = build_report(judge_all([bench() for _ in range(benches)], LEVEL), strict=False, level=LEVEL)
        assert report.level == (LEVEL if kept > 1 else None)
        red += report.exit_code
    assert least <= red / builds <= most + 2 * math.sqrt(LEVEL / builds)


@pytest.fixture
def moved(summary: Callable[..., Summary]) -> Callable[..., Assessment]:
    """Build what is known of a bench that moved by `centre`, in logarithms, with a standard error."""

    def build(centre: float, error: float = 0.1) -> Assessment:
        found = Estimate(
            log_change=centre, std_error=error, dof=8, lower_is_better=True, chunk_length=12, sample_size=5
        )
        return Assessment(
            baseline=summary(),
            current=summary(),
            policy=Policy(),
            gate=0.2,
            chosen=Choice(name="p95", baseline=10.0, current=10.0),
            change=math.expm1(centre),
            raw=found,
        )

    return build


@pytest.mark.parametrize(("error", "verdict"), [(0.09, "regression"), (0.11, "inconclusive")])
def test_a_regression_takes_evidence_that_more_than_a_quarter_of_the_gate_is_real(
    moved: Callable[..., Assessment], error: float, verdict: str
) -> None:
    # Either would do against no worsening at all: 1.86 errors are crossed by chance in 5 % of cases.
    assert math.log(1.25) > 1.86 * error
    assert (math.log(1.25) - math.log(1.05) > 1.86 * error) == (verdict == "regression")
    assert judge_all([moved(math.log(1.25), error)], LEVEL)[0].verdict == verdict


def test_with_more_benches_it_takes_more_to_call_one_worse(moved: Callable[..., Assessment]) -> None:
    suspect = moved(0.3)
    assert judge_all([suspect], LEVEL)[0].verdict == "regression"
    assert judge_all([suspect, *[moved(0.0)] * 19], LEVEL)[0].verdict == "inconclusive"
    # Those that are beyond doubt do not count against it.
    assert judge_all([suspect, *[moved(2.0)] * 19], LEVEL)[0].verdict == "regression"


def test_what_cannot_be_compared_counts_against_no_other_bench(
    summary: Callable[..., Summary], sampled: Callable[..., Summary]
) -> None:
    assessments = [
        assess(summary(), summary(p95=12.5), Policy(), TODAY),
        assess(summary(), summary(bench_id="other"), Policy(), TODAY),
        assess(sampled(steady(10)), sampled(steady(13)), Policy(), TODAY),
        assess(sampled(steady(10), environment=HERE), sampled(steady(13), environment=THERE), Policy(), TODAY),
    ]
    verdicts = [judged.verdict for judged in judge_all(assessments, LEVEL)]
    assert verdicts == ["regression", "error", "regression", "inconclusive"]


# Nothing that a summary can hold is a traceback.

EXTREME = st.sampled_from([0.0, 5e-324, 1e-300, 1e-3, 1.0, 10.0, 1e5, 1e300, 1.7e308])


@given(
    data=st.tuples(*[st.lists(st.lists(EXTREME, min_size=3, max_size=3), min_size=2, max_size=3)] * 2),
    rulers=st.tuples(*[EXTREME.filter(bool)] * 2),
    levels=st.lists(st.tuples(*[EXTREME.filter(bool)] * 3), max_size=4),
    throughput=st.booleans(),
    quantile=st.sampled_from(["p50", "p95"]),
)
def test_no_figures_however_extreme_are_without_a_judgement(  # noqa: PLR0913 - each is drawn
    sampled: Callable[..., Summary],
    data: tuple[list[list[float]], list[list[float]]],
    rulers: tuple[float, float],
    levels: list[tuple[float, float, float]],
    *,
    throughput: bool,
    quantile: Any,
) -> None:
    baseline, current = (
        sampled(rounds, rulers=[[ruler] * 3 for _ in rounds], throughput=throughput)
        for rounds, ruler in zip(data, rulers, strict=True)
    )
    runs = [
        RunLevels(
            timestamp=baseline.timestamp if number == len(levels) else f"2026-01-{number:02}",
            normalized=Levels(p5=low, p50=middle, p95=high),
            p5=low,
            p50=middle,
            p95=high,
        )
        for number, (low, middle, high) in enumerate(levels, start=1)
    ]
    judged = compare(replace(baseline, runs=tuple(runs) or None), current, Policy(quantile=quantile))
    assert judged.reason
    figures = [judged.change, judged.change_adjusted, *(judged.interval or ())]
    assert all(math.isfinite(figure) for figure in figures if figure is not None)
