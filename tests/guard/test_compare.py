from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aether_guard.compare import DEFAULT_RULE, TOLERANCE, Rule, compare, judge, worsening

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether_schema import Summary

FIGURE = st.floats(min_value=1e-6, max_value=1e9)
GATE = st.sampled_from([0.0, 0.02, 0.05, 0.1, 0.2, 1 / 3, 0.5, 1.0])


def test_the_usual_gate_is_20_percent_on_p95() -> None:
    assert Rule(gate=0.2, quantile="p95") == DEFAULT_RULE


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
    judged = compare(summary(throughput=throughput, p95=before), summary(throughput=throughput, p95=after), Rule())
    assert judged.verdict == verdict
    assert judged.change == pytest.approx(change)
    assert (judged.baseline, judged.current) == (before, after)


@pytest.mark.parametrize(("better", "verdict"), [("lower", "regression"), ("higher", "improvement")])
def test_a_plain_value_says_itself_which_way_is_worse(
    summary: Callable[..., Summary], better: str, verdict: str
) -> None:
    value = {"metric": "value", "unit": "requests", "better": better}
    assert compare(summary(**value), summary(**value, p95=15.0), Rule()).verdict == verdict


@given(before=FIGURE, gate=GATE)
def test_a_duration_exactly_at_the_gate_passes_however_it_rounds(
    summary: Callable[..., Summary], before: float, gate: float
) -> None:
    assert compare(summary(p95=before), summary(p95=before * (1 + gate)), Rule(gate=gate)).verdict == "pass"


@given(before=FIGURE, gate=GATE)
def test_a_throughput_exactly_at_the_gate_passes_however_it_rounds(
    summary: Callable[..., Summary], before: float, gate: float
) -> None:
    current = summary(throughput=True, p95=before * (1 - gate))
    assert compare(summary(throughput=True, p95=before), current, Rule(gate=gate)).verdict == "pass"


@given(before=FIGURE, gate=GATE)
def test_a_millionth_beyond_the_gate_is_a_regression(
    summary: Callable[..., Summary], before: float, gate: float
) -> None:
    current = summary(p95=before * (1 + gate + 1e-6))
    assert compare(summary(p95=before), current, Rule(gate=gate)).verdict == "regression"


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
        return compare(*figures, Rule()).verdict

    assert verdict(factor) == verdict(1)


@given(change=st.floats(-1, 10), more=st.floats(0, 10), gate=GATE)
def test_more_of_a_worsening_is_never_a_better_verdict(change: float, more: float, gate: float) -> None:
    order = ["improvement", "pass", "regression"]
    assert order.index(judge(change + more, gate)) >= order.index(judge(change, gate))


def test_the_quantile_of_the_rule_is_the_one_judged(summary: Callable[..., Summary]) -> None:
    before, after = summary(p50=5.0, p95=10.0), summary(p50=9.0, p95=10.0)
    assert compare(before, after, Rule(quantile="p95")).verdict == "pass"
    judged = compare(before, after, Rule(quantile="p50"))
    assert (judged.verdict, judged.quantile, judged.baseline, judged.current) == ("regression", "p50", 5.0, 9.0)


def test_the_reason_says_how_much_and_against_which_gate(summary: Callable[..., Summary]) -> None:
    assert compare(summary(), summary(p95=12.5), Rule()).reason == "p95 25.0 % worse, gate 20 %"


@pytest.mark.parametrize("after", [0.0, 10.0])
def test_a_baseline_of_0_is_an_error(summary: Callable[..., Summary], after: float) -> None:
    judged = compare(summary(p95=0.0), summary(p95=after), Rule())
    assert judged.verdict == "error"
    assert judged.reason.startswith("p95: 0 in the baseline")
    assert judged.change is None


def test_a_baseline_too_small_for_a_finite_change_is_an_error(summary: Callable[..., Summary]) -> None:
    assert compare(summary(p95=5e-324), summary(p95=1e9), Rule()).verdict == "error"


def test_a_current_of_0_is_an_improvement_of_a_duration(summary: Callable[..., Summary]) -> None:
    assert compare(summary(), summary(p95=0.0), Rule()).change == -1


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
    judged = compare(summary(**before), summary(**after), Rule())
    assert judged.verdict == "error"
    assert judged.reason.startswith(f"{key} differs: ")
    assert judged.change is None


def test_metrics_of_opposite_directions_are_not_compared(summary: Callable[..., Summary]) -> None:
    judged = compare(summary(), summary(throughput=True), Rule())
    assert (judged.verdict, judged.reason.split(" ")[0]) == ("error", "metric")


@pytest.mark.parametrize("given_params", [None, {}])
def test_a_side_that_states_no_params_is_compared(
    summary: Callable[..., Summary], given_params: dict[str, Any] | None
) -> None:
    stated = summary(params={"files": 100})
    assert compare(summary(params=given_params), stated, Rule()).verdict == "pass"
    assert compare(stated, summary(params=given_params), Rule()).verdict == "pass"
