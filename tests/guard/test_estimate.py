from __future__ import annotations

import math
from itertools import permutations
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from aether_guard.check.baseline_runs import keep_runs
from aether_guard.check.estimate import MAX_SAMPLES, Estimate, estimate, from_log, to_log
from aether_guard.check.files import LoadedSummary
from aether_schema import Levels, RunLevels, quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aether_guard.check.verdict import Quantile
    from aether_schema import Summary

#: What a t variable with 2 degrees of freedom stays below in 95 %.
T_OF_2 = 2.919985580353726
ROUNDS = st.lists(st.lists(st.floats(0.1, 100), min_size=6, max_size=6).map(tuple), min_size=3, max_size=5)


def found(baseline: Summary, current: Summary, name: Quantile = "p50", *, by_ruler: bool = False) -> Estimate:
    result = estimate(baseline, current, name, normalized=by_ruler)
    assert result is not None
    return result


def steady(*logarithms: float, samples: int = 4) -> list[list[float]]:
    """Return a round for each, all of whose samples have that logarithm."""
    return [[math.exp(logarithm)] * samples for logarithm in logarithms]


# Known by hand.


def test_steady_rounds_give_their_ratio_and_no_doubt(sampled: Callable[..., Summary]) -> None:
    moved = found(sampled([[10.0] * 4] * 2), sampled([[12.0] * 4] * 2))
    assert moved.change == pytest.approx(0.2)
    assert moved.interval == pytest.approx((0.2, 0.2))
    assert (moved.p_value_worse(0.1), moved.p_value_worse(0.3)) == (0, 1)
    assert not moved.single_process


def test_rounds_that_differ_give_the_interval_of_welch(sampled: Callable[..., Summary]) -> None:
    moved = found(sampled(steady(0.0, 0.2)), sampled(steady(0.3, 0.5)))
    # Each side has the variance 0.02 over two rounds.
    assert moved.log_change == pytest.approx(0.3)
    assert moved.std_error == pytest.approx(math.sqrt(0.02))
    assert moved.dof == pytest.approx(2)
    reach = T_OF_2 * math.sqrt(0.02)
    assert moved.interval == pytest.approx((math.expm1(0.3 - reach), math.expm1(0.3 + reach)))


def test_a_side_of_one_variance_lends_its_degrees_of_freedom(sampled: Callable[..., Summary]) -> None:
    moved = found(sampled(steady(0.0, 0.0, 0.0, 0.0)), sampled(steady(0.0, 0.1, 0.2)))
    assert moved.std_error == pytest.approx(math.sqrt(0.01 / 3))
    assert moved.dof == pytest.approx(2)


def test_a_throughput_that_falls_is_worse_and_a_duration_that_falls_is_better(sampled: Callable[..., Summary]) -> None:
    before, after = [[1000.0] * 4] * 2, [[750.0] * 4] * 2
    fallen = found(sampled(before, throughput=True), sampled(after, throughput=True))
    assert fallen.log_change > 0
    assert fallen.change == pytest.approx(0.25)
    assert found(sampled(before), sampled(after)).change == pytest.approx(-0.25)


def test_a_throughput_that_rises_is_better_by_its_own_measure(sampled: Callable[..., Summary]) -> None:
    risen = found(sampled([[1000.0] * 4] * 2, throughput=True), sampled([[1500.0] * 4] * 2, throughput=True))
    assert risen.change == pytest.approx(-0.5)


def test_the_interval_of_a_throughput_runs_from_the_better_to_the_worse(sampled: Callable[..., Summary]) -> None:
    moved = found(sampled(steady(0.3, 0.5), throughput=True), sampled(steady(0.0, 0.2), throughput=True))
    low, high = moved.interval
    assert low < moved.change < high < 1


def test_by_the_ruler_a_duration_is_divided_by_the_reference_beside_it(sampled: Callable[..., Summary]) -> None:
    baseline = sampled([[10.0, 20.0, 30.0]] * 2, rulers=[[1.0, 2.0, 3.0]] * 2)
    current = sampled([[33.0, 22.0, 44.0]] * 2, rulers=[[3.0, 2.0, 4.0]] * 2)
    assert found(baseline, current, by_ruler=True).change == pytest.approx(0.1)
    assert found(baseline, current).change == pytest.approx(0.65)


def test_by_the_ruler_a_throughput_is_multiplied_by_the_reference_beside_it(sampled: Callable[..., Summary]) -> None:
    baseline = sampled([[60.0, 30.0, 20.0]] * 2, rulers=[[1.0, 2.0, 3.0]] * 2, throughput=True)
    current = sampled([[18.0, 27.0, 13.5]] * 2, rulers=[[3.0, 2.0, 4.0]] * 2, throughput=True)
    assert found(baseline, current, by_ruler=True).change == pytest.approx(0.1)


def test_the_quantile_asked_for_is_the_one_estimated(sampled: Callable[..., Summary]) -> None:
    baseline, current = sampled([[10.0] * 10 + [20.0] * 10] * 2), sampled([[10.0] * 10 + [30.0] * 10] * 2)
    assert found(baseline, current, "p95").change == pytest.approx(0.5)
    assert found(baseline, current, "p50").change == pytest.approx(20 / 15 - 1)


# Rounds of different lengths.


def test_rounds_of_different_lengths_are_cut_to_pieces_of_the_shorter(sampled: Callable[..., Summary]) -> None:
    piece = [1.0, 1.0, 1.0, 8.0]
    long, short = sampled([piece * 3] * 3), sampled([piece] * 3)
    assert quantile(piece * 3, 0.95) > quantile(piece, 0.95)
    for moved in (found(long, short, "p95"), found(short, long, "p95")):
        assert (moved.chunk_length, moved.sample_size) == (4, 3)
        assert moved.change == pytest.approx(0)


def test_the_pieces_of_a_round_are_averaged_for_they_are_not_independent(sampled: Callable[..., Summary]) -> None:
    mixed = sampled([[1.0] * 4 + [math.e] * 4] * 3)
    moved = found(sampled([[1.0] * 4] * 3), mixed)
    assert moved.log_change == pytest.approx(0.5)
    assert (moved.std_error, moved.sample_size) == (pytest.approx(0), 3)


def test_what_is_left_of_a_round_after_its_pieces_counts_for_nothing(sampled: Callable[..., Summary]) -> None:
    assert found(sampled([[1.0] * 4] * 3), sampled([[1.0] * 8 + [100.0] * 3, [1.0] * 4, [1.0] * 4])).change == 0


@pytest.mark.parametrize(("length", "units"), [(12, 4), (6, 4), (5, 3), (1, 3), (0, 3)])
def test_a_round_of_less_than_half_the_usual_length_is_left_out(
    sampled: Callable[..., Summary], length: int, units: int
) -> None:
    moved = found(sampled([[1.0] * 12] * 4), sampled([*[[1.0] * 12] * 3, [1.0] * length]))
    assert (moved.chunk_length, moved.sample_size) == (12, units)


# Too little.


def test_of_one_process_its_pieces_have_to_do_and_that_is_noted(sampled: Callable[..., Summary]) -> None:
    draw = Random(4)
    one = sampled([[draw.gauss(10, 1) for _ in range(24)]])
    several = sampled([[draw.gauss(10, 1) for _ in range(24)] for _ in range(4)])
    for pair in ((one, several), (several, one), (one, one)):
        moved = found(*pair)
        assert moved.single_process
        assert (moved.chunk_length, moved.sample_size) == (6, 4)
    assert not found(several, several).single_process


@pytest.mark.parametrize(
    "rounds",
    [
        pytest.param([[0.0] * 4] * 3, id="zeros"),
        pytest.param([[1.0] * 4, [0.0] * 4, [0.0] * 4], id="one round that is not zero"),
        pytest.param([[1.0] * 5], id="one process of five"),
        pytest.param([[1.0] * 12, []], id="one round and an empty one"),
    ],
)
def test_of_what_has_no_ratio_or_no_rounds_there_is_no_estimate(
    sampled: Callable[..., Summary], rounds: list[list[float]]
) -> None:
    fine, poor = sampled([[1.0] * 4] * 3), sampled(rounds)
    assert estimate(fine, poor, "p50", normalized=False) is None
    assert estimate(poor, fine, "p50", normalized=False) is None


def test_short_rounds_have_a_tail_together(sampled: Callable[..., Summary]) -> None:
    fine, short, shorter = (sampled(rounds) for rounds in ([[1.0] * 4] * 3, [[1.0, 1.2]] * 20, [[1.0], [1.1]]))
    middle, tail = (estimate(fine, short, name, normalized=False) for name in ("p50", "p95"))
    assert middle is not None
    assert tail is not None
    assert (middle.chunk_length, tail.chunk_length, tail.single_process) == (2, 3, False)
    assert estimate(fine, shorter, "p50", normalized=False) is not None
    assert estimate(fine, shorter, "p95", normalized=False) is None


def test_short_rounds_are_taken_together_with_their_references(sampled: Callable[..., Summary]) -> None:
    before = sampled([[10.0, 10.2]] * 10, rulers=[[0.4, 0.4]] * 10)
    after = sampled([[13.0, 13.26]] * 10, rulers=[[0.52, 0.52]] * 10)
    ruled = estimate(before, after, "p95", normalized=True)
    assert ruled is not None
    assert ruled.change == pytest.approx(0.0)


def test_without_samples_there_is_no_estimate(summary: Callable[..., Summary], sampled: Callable[..., Summary]) -> None:
    assert estimate(summary(), sampled([[1.0] * 4] * 3), "p95", normalized=False) is None
    assert estimate(sampled([[1.0] * 4] * 3), summary(), "p95", normalized=False) is None


# What holds of every estimate.


@given(before=ROUNDS, after=ROUNDS, throughput=st.booleans())
def test_the_sides_exchanged_the_estimate_changes_its_sign_and_keeps_its_error(
    sampled: Callable[..., Summary],
    before: list[tuple[float, ...]],
    after: list[tuple[float, ...]],
    *,
    throughput: bool,
) -> None:
    baseline, current = sampled(before, throughput=throughput), sampled(after, throughput=throughput)
    there, back = found(baseline, current), found(current, baseline)
    assert there.log_change == pytest.approx(-back.log_change, abs=1e-12)
    assert (there.std_error, there.sample_size) == (pytest.approx(back.std_error), back.sample_size)


@given(before=ROUNDS, after=ROUNDS, factor=st.floats(1e-3, 1e3))
def test_another_unit_changes_no_estimate(
    sampled: Callable[..., Summary], before: list[tuple[float, ...]], after: list[tuple[float, ...]], factor: float
) -> None:
    def scaled(rounds: list[tuple[float, ...]]) -> Summary:
        return sampled([[value * factor for value in values] for values in rounds])

    moved, same = found(sampled(before), sampled(after)), found(scaled(before), scaled(after))
    assert same.log_change == pytest.approx(moved.log_change, abs=1e-9)
    assert same.std_error == pytest.approx(moved.std_error, abs=1e-9)


@given(
    centre=st.floats(-2, 2),
    error=st.floats(1e-4, 0.5),
    freedom=st.floats(1, 50),
    lower_is_better=st.booleans(),
    widened=st.floats(0, 0.5),
)
def test_an_interval_holds_its_change_and_a_widened_one_the_narrower(
    *, centre: float, error: float, freedom: float, lower_is_better: bool, widened: float
) -> None:
    def interval(by: float) -> tuple[float, float]:
        moved = Estimate(
            log_change=centre,
            std_error=error,
            dof=freedom,
            lower_is_better=lower_is_better,
            chunk_length=12,
            sample_size=5,
            extra_half_width=by,
        )
        assert moved.interval[0] < moved.change < moved.interval[1]
        return moved.interval

    narrow, wide = interval(0.0), interval(widened)
    assert wide[0] <= narrow[0]
    assert narrow[1] <= wide[1]


@given(centre=st.floats(-1, 1), error=st.floats(1e-3, 0.5), freedom=st.floats(1, 50), gate=st.floats(0, 0.5))
def test_a_bound_of_the_interval_is_where_chance_explains_5_percent(
    centre: float, error: float, freedom: float, gate: float
) -> None:
    for lower_is_better in (True, False):
        moved = Estimate(
            log_change=centre,
            std_error=error,
            dof=freedom,
            lower_is_better=lower_is_better,
            chunk_length=12,
            sample_size=5,
        )
        assert (moved.p_value_worse(gate) < 0.05) == (moved.interval[0] > gate)
        assert (moved.p_value_better(gate) < 0.05) == (moved.interval[1] < -gate)


@given(change=st.floats(-0.99, 0.99), lower_is_better=st.booleans())
def test_a_change_and_its_logarithm_are_one(*, change: float, lower_is_better: bool) -> None:
    logarithm = to_log(change, lower_is_better=lower_is_better)
    assert (logarithm > 0) == (change > 0)
    assert from_log(logarithm, lower_is_better=lower_is_better) == pytest.approx(change, abs=1e-12)


@pytest.mark.parametrize("lower_is_better", [True, False])
@pytest.mark.parametrize("change", [-1.0, 1.0])
def test_a_change_by_all_there_is_has_a_logarithm(change: float, *, lower_is_better: bool) -> None:
    logarithm = to_log(change, lower_is_better=lower_is_better)
    assert math.isfinite(logarithm)
    assert (logarithm > 0) == (change > 0)


@pytest.mark.parametrize("lower_is_better", [True, False])
@pytest.mark.parametrize("logarithm", [-2000.0, -709.0, 709.0, 2000.0])
def test_no_logarithm_is_too_large_to_be_a_change(logarithm: float, *, lower_is_better: bool) -> None:
    change = from_log(logarithm, lower_is_better=lower_is_better)
    assert math.isfinite(change)
    assert (change > 0) == (logarithm > 0)


# How many samples it takes.


def undecided(centre: float = 0.15, error: float = 0.05, units: int = 5) -> Estimate:
    return Estimate(log_change=centre, std_error=error, dof=8, lower_is_better=True, chunk_length=12, sample_size=units)


def test_it_takes_fewer_samples_the_further_the_gate_and_the_smaller_the_error() -> None:
    by_gate = [undecided().samples_needed(gate) for gate in (0.18, 0.2, 0.25, 0.4)]
    assert by_gate == sorted(by_gate, reverse=True)
    assert by_gate[0] > by_gate[-1]
    by_error = [undecided(error=error).samples_needed(0.2) for error in (0.2, 0.1, 0.05, 0.01)]
    assert by_error == sorted(by_error, reverse=True)
    assert by_error[0] > by_error[-1]


def test_it_takes_four_times_the_samples_for_half_the_distance() -> None:
    near, far = (undecided(centre=math.log(1.2) - gap, error=0.1).samples_needed(0.2) for gap in (0.05, 0.1))
    assert near == pytest.approx(4 * far, rel=0.1)


def test_the_samples_it_takes_are_whole_rounds_and_more_than_there_are() -> None:
    needed = undecided().samples_needed(0.2)
    assert needed % 12 == 0
    assert needed > 5 * 12


def test_on_the_gate_no_more_samples_are_asked_for_than_there_is_a_point_in() -> None:
    assert undecided(centre=math.log(1.2), error=1.0).samples_needed(0.2) == MAX_SAMPLES


@pytest.mark.parametrize("gate", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("lower_is_better", [True, False])
def test_every_gate_has_a_number_of_samples(gate: float, *, lower_is_better: bool) -> None:
    moved = Estimate(
        log_change=0.1, std_error=0.1, dof=4, lower_is_better=lower_is_better, chunk_length=12, sample_size=5
    )
    assert 0 < moved.samples_needed(gate) <= MAX_SAMPLES


@pytest.mark.parametrize(("fixed", "widened"), [(0.2, 0.0), (0.0, 0.2), (0.05, 0.1)])
def test_no_number_of_samples_settles_what_samples_do_not_make_smaller(fixed: float, widened: float) -> None:
    doubted = Estimate(
        log_change=0.1,
        std_error=0.3,
        dof=1e6,
        lower_is_better=True,
        chunk_length=12,
        sample_size=5,
        fixed=fixed,
        extra_half_width=widened,
    )
    assert doubted.samples_needed(0.2) is None
    # Far enough from the gate they do.
    assert doubted.samples_needed(1.0) is not None


def test_what_no_sample_made_asks_for_none() -> None:
    assert undecided(units=0).samples_needed(0.2) is None


# Several runs in the baseline.


def with_runs(baseline: Summary, *logarithms: float) -> Summary:
    """Return the baseline with so many runs of these logarithms at p50, and twice as much normalized."""
    runs = [
        RunLevels(
            timestamp=baseline.timestamp if number == len(logarithms) else f"2026-01-{number:02}",
            p50=math.exp(logarithm),
            normalized=Levels(p50=2 * math.exp(logarithm)),
        )
        for number, logarithm in enumerate(logarithms, start=1)
    ]
    return replace(baseline, runs=tuple(runs))


def test_the_current_run_is_one_more_draw_of_what_differs_between_runs(sampled: Callable[..., Summary]) -> None:
    baseline = with_runs(sampled(steady(0.1, 0.1, 0.1)), -0.1, 0.0, 0.1)
    moved = found(baseline, sampled(steady(0.3, 0.3, 0.3)))
    # The mean of the runs is 0, their variance 0.01, and there are three of them.
    assert moved.log_change == pytest.approx(0.3)
    assert moved.std_error == pytest.approx(math.sqrt(0.01 * (1 + 1 / 3)))
    assert (moved.dof, moved.runs) == (2, 3)
    reach = T_OF_2 * moved.std_error
    assert moved.interval == pytest.approx((math.expm1(0.3 - reach), math.expm1(0.3 + reach)))
    # Steady rounds leave nothing that more samples would make smaller.
    assert moved.fixed == pytest.approx(moved.std_error)


def test_a_current_run_that_is_noisier_than_the_baseline_adds_what_it_has_more(sampled: Callable[..., Summary]) -> None:
    baseline = with_runs(sampled(steady(0.0, 0.0, 0.2, 0.2)), 0.0, 0.2, 0.1)
    calm, wild = (found(baseline, sampled(steady(*rounds))) for rounds in ((0.0, 0.2), (-0.5, 0.7)))
    between, before = 0.01 * (1 + 1 / 3), 0.04 / 3 / 4
    assert calm.std_error == pytest.approx(math.sqrt(between + 0.01 - before))
    assert wild.std_error == pytest.approx(math.sqrt(between + 0.36 - before))
    # What is added by chance must not lend degrees of freedom.
    assert max(calm.dof, wild.dof) <= 2


def test_normalized_runs_are_compared_normalized(sampled: Callable[..., Summary]) -> None:
    rulers = steady(0.0, 0.0)
    baseline = with_runs(sampled(steady(0.0, 0.0), rulers=rulers), 0.2, 0.0)
    current = sampled(steady(0.0, 0.0), rulers=rulers)
    assert found(baseline, current, by_ruler=True).log_change == pytest.approx(found(baseline, current).log_change)
    assert baseline.runs is not None
    raw_alone = replace(baseline, runs=tuple(replace(run, normalized=None) for run in baseline.runs))
    assert found(raw_alone, current, by_ruler=True).runs == 1
    assert found(raw_alone, current).runs == 2


def test_one_run_or_runs_without_the_statistic_leave_the_rounds(sampled: Callable[..., Summary]) -> None:
    rounds, current = sampled(steady(0.0, 0.1, 0.2)), sampled(steady(0.1, 0.2, 0.3))
    alone = found(rounds, current)
    assert found(with_runs(rounds, 0.1), current) == alone
    assert found(with_runs(rounds, 0.0, 0.2), current, "p95") == found(rounds, current, "p95")


def test_processes_are_no_matter_where_there_are_runs(sampled: Callable[..., Summary]) -> None:
    one = sampled(steady(0.0, samples=12))
    assert found(one, one).single_process
    assert not found(with_runs(one, 0.0, 0.1), one).single_process


def test_figures_alone_have_an_interval_where_the_baseline_keeps_several(summary: Callable[..., Summary]) -> None:
    baseline = with_runs(summary(p50=1.0), -0.1, 0.1, 0.0)
    moved = found(baseline, summary(p50=2.0))
    assert moved.change == pytest.approx(1.0)
    assert (moved.std_error, moved.sample_size, moved.runs) == (pytest.approx(math.sqrt(0.01 * 4 / 3)), 0, 3)
    assert estimate(summary(p50=1.0), summary(p50=2.0), "p50", normalized=False) is None
    assert estimate(baseline, summary(p50=0.0), "p50", normalized=False) is None


def test_single_figures_are_not_compared_with_means_over_rounds(
    summary: Callable[..., Summary], sampled: Callable[..., Summary]
) -> None:
    assert estimate(with_runs(sampled(steady(0.0, 0.0)), 0.0, 0.1), summary(), "p50", normalized=False) is None


@pytest.mark.parametrize("effect", [0.0, 0.02, 0.1])
def test_over_simulated_runs_that_differ_the_interval_holds_as_often_as_it_says(
    simulated: Callable[..., Summary], effect: float
) -> None:
    draw = Random(4)
    count, held = 600, 0
    for _ in range(count):
        costs = [math.exp(draw.gauss(0, effect)) for _ in range(5)]
        *runs, current = (
            simulated(draw, rounds=3, samples=3, cost=cost, ruler=False, timestamp=f"2026-01-{day:02}")
            for day, cost in enumerate(costs, start=1)
        )
        baseline = keep_runs([LoadedSummary("run", run) for run in runs], None, len(runs))
        low, high = found(baseline, current).interval
        held += low <= 0 <= high
    assert 0.87 <= held / count <= 0.97


# The promise: each bound is crossed by chance in 5 % of cases, so that both hold in 90 %.

PAIRS = 2000


@pytest.mark.parametrize(
    ("name", "by_ruler", "throughput"), [("p50", False, False), ("p95", True, True)], ids=["p50 raw", "p95 ruled"]
)
def test_over_simulated_runs_of_unchanged_code_the_interval_holds_as_often_as_it_says(
    simulated: Callable[..., Summary], name: Quantile, *, by_ruler: bool, throughput: bool
) -> None:
    draw = Random(1)
    intervals = []
    for _ in range(PAIRS):
        sides = [simulated(draw, drift=0.05, throughput=throughput) for _ in range(2)]
        intervals.append(found(*sides, name, by_ruler=by_ruler).interval)
    missed_below = sum(high < 0 for _, high in intervals) / PAIRS
    missed_above = sum(low > 0 for low, _ in intervals) / PAIRS
    assert 1 - missed_below - missed_above == pytest.approx(0.9, abs=0.02)
    assert missed_below == pytest.approx(0.05, abs=0.015)
    assert missed_above == pytest.approx(0.05, abs=0.015)


def test_over_simulated_runs_the_interval_holds_a_true_worsening_as_often(simulated: Callable[..., Summary]) -> None:
    draw = Random(2)
    count = 1000
    held = 0
    for _ in range(count):
        low, high = found(simulated(draw), simulated(draw, cost=1.3), "p95", by_ruler=True).interval
        held += low <= 0.3 <= high
    assert held / count == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize(
    ("recording", "name", "least", "most"),
    [
        # Of sixty runs the share has a standard error of three in a hundred.
        ("train_quiet", "p95", 0.88, 0.95),
        ("train_quiet", "p50", 0.87, 0.92),
        ("train_noisy", "p50", 0.86, 0.92),
        ("train_noisy", "p95", 0.87, 0.92),
    ],
)
def test_over_recorded_runs_the_interval_by_the_ruler_holds_about_as_often_as_it_says(
    recorded: Callable[[str], list[Summary]], recording: str, name: Quantile, least: float, most: float
) -> None:
    pairs = list(permutations(recorded(recording), 2))
    intervals = [found(*pair, name, by_ruler=True).interval for pair in pairs]
    assert least <= sum(low <= 0 <= high for low, high in intervals) / len(pairs) <= most


@pytest.mark.parametrize("recording", ["train_quiet", "train_noisy"])
def test_over_recorded_runs_the_ruler_explains_what_the_raw_figures_cannot(
    recorded: Callable[[str], list[Summary]], recording: str
) -> None:
    pairs = list(permutations(recorded(recording), 2))
    spread = [
        math.fsum(found(*pair, "p50", by_ruler=by_ruler).log_change ** 2 for pair in pairs)
        for by_ruler in (False, True)
    ]
    assert spread[1] < spread[0] / 2


def layered(effects: Sequence[float], worsening: float) -> list[list[float]]:
    """Return rounds with the effects of their layouts, some noise, and a worsening."""
    draw = Random(str(worsening))
    return [[10 * math.exp(effect + worsening + draw.gauss(0, 0.001)) for _ in range(5)] for effect in effects]


def reach(baseline: Summary, current: Summary) -> float:
    result = found(baseline, current)
    assert result.interval[0] <= math.expm1(0.02) <= result.interval[1]
    return result.half_width


def test_rounds_with_the_same_layout_are_compared_in_pairs(sampled: Callable[..., Summary]) -> None:
    draw = Random(1)
    effects = [draw.gauss(0, 0.03) for _ in range(24)]
    environment = {"python": "3.11.7"}
    before = sampled(layered(effects, 0.0), layout_seed=0, environment=environment)
    after = sampled(layered(effects, 0.02), layout_seed=0, environment=environment)
    paired = reach(before, after)
    assert paired < 0.001
    for other in (
        replace(after, layout_seed=1),
        replace(after, layout_seed=None),
        replace(after, environment={"python": "3.12.1"}),
        sampled(layered([*effects, 0.0], 0.02), layout_seed=0, environment=environment),
    ):
        assert reach(before, other) > 10 * paired
