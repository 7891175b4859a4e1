from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from aether_harness.measure.aa_study import (
    GATES,
    RULES,
    Recording,
    Treatment,
    assess,
    cross_check_spread,
    pair_worsenings,
    record,
    reference_share,
    run_cost,
    share_beyond,
    smallest_gate,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether_harness.measure.runner import RoundResult
    from aether_harness.worker.protocol import SampleTaken

    RoundOf = Callable[..., RoundResult]

RECORDED = Path(__file__).parents[3] / "shared" / "noise"


def recordings_in(path: Path) -> list[Recording]:
    """Return the runs of a recording, those samples kept during which no CPU was taken away."""
    runs = []
    for line in path.read_text(encoding="utf-8").splitlines():
        run = json.loads(line)
        keys = ("samples", "reference", "involuntary_switches")
        rounds = [list(zip(*columns, strict=True)) for columns in zip(*(run[key] for key in keys), strict=True)]
        kept = [[sample for sample in round_ if sample[2] == 0] for round_ in rounds]
        runs.append(
            Recording(
                raw=tuple(tuple(values) for values in run["samples"]),
                samples=tuple(tuple(value for value, _, _ in round_) for round_ in kept),
                reference=tuple(tuple(ruler for _, ruler, _ in round_) for round_ in kept),
            )
        )
    return runs


# On hand-made figures.


def test_every_ordered_pair_of_runs_is_a_comparison() -> None:
    assert pair_worsenings([1.0, 2.0, 4.0]) == [1.0, 3.0, -0.5, 1.0, -0.75, -0.5]


@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=8), st.sampled_from(GATES))
def test_false_alarms_are_one_way_and_so_never_more_than_half_of_the_pairs(figures: list[float], gate: float) -> None:
    assert share_beyond(pair_worsenings(figures), gate) <= 0.5


def test_a_worsening_must_be_greater_than_the_gate() -> None:
    assert share_beyond([0.1, 0.2, 0.3, 0.4], 0.2) == 0.5


@given(st.lists(st.floats(-0.9, 5), min_size=1, max_size=50), st.sampled_from([0.0, 0.005, 0.1, 0.5, 1.0]))
def test_the_smallest_gate_cries_wolf_no_more_often_than_wished_and_no_smaller_one_does(
    worsenings: list[float], wished: float
) -> None:
    gate = smallest_gate(worsenings, wished)
    assert gate >= 0
    assert share_beyond(worsenings, gate + 1e-9) <= wished
    if gate > 0.001 and wished < 1:
        assert share_beyond(worsenings, gate - 0.0011) > wished


def test_a_run_is_recorded_as_it_came_and_as_it_was_kept(taken: Callable[..., SampleTaken], round_of: RoundOf) -> None:
    robbed = taken(9.0, reference_ms=0.9, involuntary_switches=1)
    recorded = record([round_of(1.0, robbed, 2.0, wanted=2), round_of(3.0, 4.0)])
    assert recorded.raw == ((1.0, 9.0), (3.0, 4.0))
    assert recorded.samples == ((1.0, 2.0), (3.0, 4.0))
    assert recorded.reference == ((0.5, 0.5), (0.5, 0.5))


@pytest.mark.parametrize(("rule", "cost"), [("raw", 9.0), ("rejected", 2.0), ("ruled", 4.0)])
def test_a_duration_is_a_cost_and_by_the_ruler_divided_by_it(rule: Treatment, cost: float) -> None:
    recording = Recording(raw=((9.0,),), samples=((2.0,),), reference=((0.5,),))
    assert run_cost(recording, rule, 0.5, lower_is_better=True) == cost


@pytest.mark.parametrize(("rule", "cost"), [("raw", 1 / 9), ("rejected", 1 / 2), ("ruled", 1.0)])
def test_a_throughput_costs_its_inverse_and_is_by_the_ruler_multiplied_by_it(rule: Treatment, cost: float) -> None:
    recording = Recording(raw=((9.0,),), samples=((2.0,),), reference=((0.5,),))
    assert run_cost(recording, rule, 0.5, lower_is_better=False) == cost


@pytest.mark.parametrize("lower_is_better", [True, False])
def test_runs_on_a_machine_that_changes_its_speed_are_the_same_by_the_ruler(
    taken: Callable[..., SampleTaken], round_of: RoundOf, *, lower_is_better: bool
) -> None:
    runs = []
    for slowness in (1.0, 1.5, 2.0):
        values = [10 * slowness if lower_is_better else 10 / slowness] * 3
        runs.append([round_of(*(taken(v, reference_ms=0.5 * slowness) for v in values), cross_reference_ms=slowness)])
    report = assess("mine", runs, lower_is_better=lower_is_better, slowdown=0.3, target_rate=0.005)
    alarms = {(rate.quantile, rate.rule): rate for rate in report.rates if rate.gate == 0.2}
    for name in ("p50", "p95"):
        assert alarms[name, "raw"].false_alarms == alarms[name, "rejected"].false_alarms == 0.5
        assert alarms[name, "ruled"].false_alarms == 0
        assert alarms[name, "ruled"].power == 1
        assert report.smallest_gates[name]["ruled"] == pytest.approx(0, abs=0.001)
        assert report.smallest_gates[name]["raw"] == pytest.approx(1.0)
    assert (report.runs, report.pairs) == (3, 6)
    assert report.cross_check_spread == pytest.approx(0)


def test_runs_that_are_alike_raise_no_alarm_at_any_gate(round_of: RoundOf) -> None:
    runs = [[round_of(1.0, 2.0, 3.0)] for _ in range(4)]
    report = assess("mine", runs, lower_is_better=True, slowdown=0.3, target_rate=0.0)
    assert len(report.rates) == 2 * len(RULES) * len(GATES)
    assert {rate.false_alarms for rate in report.rates} == {0}
    assert {rate.power for rate in report.rates} == {1}


def test_a_slowdown_within_the_gate_is_not_found(round_of: RoundOf) -> None:
    report = assess("mine", [[round_of(1.0)]] * 2, lower_is_better=True, slowdown=0.04, target_rate=0.0)
    assert {rate.gate for rate in report.rates if rate.power == 1} == {0.01, 0.02}


def test_the_rulers_share_counts_every_timing_of_every_attempt(
    taken: Callable[..., SampleTaken], round_of: RoundOf
) -> None:
    attempts = [replace(taken(9.0), reference_total_ns=ns) for ns in (1_500_000, 500_000)]
    assert reference_share([[round_of(*attempts, wanted=1)]]) == pytest.approx(0.1)


def test_the_cross_check_tells_when_the_two_kernels_see_different_machines(round_of: RoundOf) -> None:
    runs = [[round_of(1.0, cross_reference_ms=ms)] for ms in (0.25, 0.25, 0.2)]
    assert cross_check_spread(runs) == pytest.approx(0.25)


# On recordings of a real machine: the rules are fitted to nothing.


@pytest.mark.parametrize("name", ["train_quiet", "train_noisy"])
@pytest.mark.parametrize(("probability", "gate"), [(0.95, 0.2), (0.95, 0.1), (0.5, 0.05)])
def test_the_ruler_gives_fewer_false_alarms_than_the_raw_figures(name: str, probability: float, gate: float) -> None:
    path = RECORDED / f"{name}.jsonl"
    if not path.exists():
        pytest.skip("the recordings are not here")
    recordings = recordings_in(path)
    alarms = {
        rule: share_beyond(
            pair_worsenings([run_cost(run, rule, probability, lower_is_better=True) for run in recordings]), gate
        )
        for rule in RULES
    }
    assert alarms["ruled"] < alarms["raw"]
    assert alarms["ruled"] <= alarms["rejected"]


@pytest.mark.parametrize("name", ["train_quiet", "train_noisy"])
def test_the_ruler_still_finds_a_slowdown(name: str) -> None:
    path = RECORDED / f"{name}.jsonl"
    if not path.exists():
        pytest.skip("the recordings are not here")
    figures = [run_cost(run, "ruled", 0.5, lower_is_better=True) for run in recordings_in(path)]
    slowed = [(1 + change) * 1.3 - 1 for change in pair_worsenings(figures)]
    assert share_beyond(slowed, 0.2) > 0.99
