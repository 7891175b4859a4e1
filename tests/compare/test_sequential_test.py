from __future__ import annotations

import math
from itertools import product
from random import Random
from typing import TYPE_CHECKING

import msgspec
import pytest

from aether_compare.stats.e_process import CostPair
from aether_compare.stats.scoring import TAIL_LEARNING_PAIRS
from aether_compare.stats.sequential_test import SequentialTest, TestSpec
from aether_compare.stats.variance import LEARNING_BLOCKS
from aether_guard.check.estimate import to_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aether_compare.stats.e_process import EProcess
    from aether_guard.check.verdict import Quantile

    Lives = list[tuple[CostPair, ...]]


def tried(rule: TestSpec, *parts: Iterable[tuple[CostPair, ...]]) -> SequentialTest:
    trial = SequentialTest(rule)
    for lives in parts:
        for life in lives:
            trial.add(*life)
    return trial


def of_change(change: float, count: int) -> Lives:
    return [(CostPair(old=1.0, new=1 + change),)] * count


@pytest.mark.parametrize("lower_is_better", [True, False])
@pytest.mark.parametrize("pairs", [1, 4])
@pytest.mark.parametrize(
    ("change", "verdict"), [(0.05, "regression"), (0.0, "pass"), (0.01, "pass"), (-0.05, "improvement")]
)
def test_a_clear_change_of_the_middle_is_told(
    lives: Callable[..., Lives], change: float, verdict: str, pairs: int, *, lower_is_better: bool
) -> None:
    rule = TestSpec(lower_is_better=lower_is_better)
    trial = tried(rule, lives(Random(1), 300, change=change, spread=0.01, pairs=pairs, lower_is_better=lower_is_better))
    assert trial.verdict == trial.final_verdict == verdict
    assert trial.change == pytest.approx(change, abs=0.006)


@pytest.mark.parametrize("lower_is_better", [True, False])
@pytest.mark.parametrize(("change", "verdict"), [(0.3, "regression"), (0.0, "pass"), (-0.3, "improvement")])
def test_a_clear_change_of_the_tail_is_told(
    lives: Callable[..., Lives], change: float, verdict: str, *, lower_is_better: bool
) -> None:
    rule = TestSpec(gate=0.1, quantile="p95", lower_is_better=lower_is_better)
    drawn = lives(Random(2), 1500, change=change, spread=0.05, lower_is_better=lower_is_better)
    trial = tried(rule, drawn)
    assert trial.final_verdict == verdict
    assert trial.change == pytest.approx(change, abs=0.03)


def test_a_change_of_the_tail_alone_is_a_regression_of_the_tail_alone(lives: Callable[..., Lives]) -> None:
    draw = Random(3)
    spiked = [
        (CostPair(old=pair.old, new=pair.new * (2 if draw.random() < 0.2 else 1)),)
        for (pair,) in lives(draw, 400, spread=0.005)
    ]
    assert tried(TestSpec(quantile="p95"), spiked).verdict == "regression"
    assert tried(TestSpec(quantile="p50"), spiked).verdict == "pass"


def test_the_tail_of_throughputs_is_their_largest(lives: Callable[..., Lives]) -> None:
    draw = Random(4)
    # What was twice as fast now and then is so no more.
    drawn = [
        (CostPair(old=pair.old / (2 if draw.random() < 0.2 else 1), new=pair.new),)
        for (pair,) in lives(draw, 400, spread=0.005)
    ]
    assert tried(TestSpec(quantile="p95", lower_is_better=False), drawn).verdict == "regression"
    assert tried(TestSpec(quantile="p95"), drawn).verdict == "pass"


@pytest.mark.parametrize("quantile", ["p50", "p95"])
def test_what_is_shown_to_be_an_improvement_is_shown_not_to_be_worse_as_well(
    lives: Callable[..., Lives], quantile: Quantile
) -> None:
    # So one alpha bounds the chance of either wrong answer on a change that is worse.
    for seed in range(20):
        trial = SequentialTest(TestSpec(quantile=quantile))
        for life in lives(Random(seed), 80, change=-0.02):
            trial.add(*life)
            assert trial.not_worse.wealth >= trial.better.wealth * (1 - 1e-12)


def test_without_pairs_there_is_nothing_to_say() -> None:
    trial = SequentialTest(TestSpec())
    trial.add()
    assert (trial.verdict, trial.final_verdict) == (None, "inconclusive")
    assert (trial.change, trial.interval(), trial.pairs_needed()) == (None, None, None)


def test_of_a_tail_lives_that_are_learned_from_are_not_bet_on() -> None:
    trial = tried(TestSpec(quantile="p95"), of_change(0.5, TAIL_LEARNING_PAIRS))
    assert [wager.wealth for wager in (trial.worse, trial.not_worse, trial.better)] == pytest.approx([1, 1, 1])
    assert trial.change == pytest.approx(0.5)
    assert trial.pairs_needed() is None


@pytest.mark.parametrize("pairs", [1, 20, 200])
def test_no_life_is_more_than_one_bet_however_many_pairs_agree_in_it(pairs: int) -> None:
    # Of one pair of processes nobody can tell luck from change; each doubles the wealth at the very most.
    lives = [(CostPair(old=1.0, new=1.5),) * pairs] * 15
    assert tried(TestSpec(alpha=0.001), lives[:10]).verdict is None
    assert tried(TestSpec(alpha=0.001), lives).verdict == "regression"


def test_pairs_that_are_all_alike_get_a_verdict() -> None:
    assert tried(TestSpec(), of_change(0.0, 40)).verdict == "pass"
    assert tried(TestSpec(), of_change(0.021, 40)).verdict == "regression"
    assert tried(TestSpec(), of_change(-0.021, 40)).verdict == "improvement"


def test_a_pass_waits_while_it_looks_like_an_improvement(lives: Callable[..., Lives]) -> None:
    trial = tried(TestSpec(), lives(Random(5), 100, change=-0.018))
    assert trial.not_worse.max_wealth >= 1000
    assert trial.verdict is None
    assert trial.final_verdict == "pass"


def test_a_regression_that_was_told_is_not_taken_back(lives: Callable[..., Lives]) -> None:
    draw = Random(6)
    trial = tried(TestSpec(), lives(draw, 60, change=0.05), lives(draw, 100))
    assert trial.verdict == "regression"
    assert trial.change == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize("lower_is_better", [True, False])
@pytest.mark.parametrize(
    ("rule", "spread", "looks"),
    [
        (TestSpec(alpha=0.05), 0.02, range(0, 161, 10)),
        (TestSpec(alpha=0.05, quantile="p95", gate=0.05), 0.05, range(0, 601, 60)),
    ],
)
def test_the_interval_leaves_the_gate_out_exactly_when_it_is_shown_on_which_side_the_change_is(
    lives: Callable[..., Lives], rule: TestSpec, spread: float, looks: range, *, lower_is_better: bool
) -> None:
    rule = msgspec.structs.replace(rule, lower_is_better=lower_is_better)
    told = set()
    for change in (-0.3, -0.05, 0.0, 0.015, 0.03, 0.05, 0.3):
        trial = SequentialTest(rule)
        drawn = lives(Random(7), looks[-1], change=change, spread=spread, lower_is_better=lower_is_better)
        for life in drawn:
            trial.add(*life)
            interval = trial.interval() if len(trial.pairs) in looks else None
            if interval is None:
                continue
            low, high = interval
            assert low < high
            worse, not_worse = (wager.max_wealth * rule.alpha >= 1 for wager in (trial.worse, trial.not_worse))
            assert (low >= rule.gate - 1e-12) == worse
            assert (high <= rule.gate + 1e-12) == not_worse
            told.add((worse, not_worse))
    assert told == {(False, False), (True, False), (False, True)}


def test_the_interval_closes_in_on_the_change(lives: Callable[..., Lives]) -> None:
    drawn = lives(Random(8), 600, change=0.03)
    widths = []
    for count in (60, 200, 600):
        interval = tried(TestSpec(), drawn[:count]).interval()
        assert interval is not None
        low, high = interval
        assert low < 0.03 < high
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.015


def test_an_interval_with_an_infinite_bound_is_none(lives: Callable[..., Lives]) -> None:
    drawn = lives(Random(9), 60)
    assert tried(TestSpec(), drawn[: LEARNING_BLOCKS + 3]).interval() is None
    interval = tried(TestSpec(), drawn).interval()
    assert interval is not None
    assert msgspec.json.decode(msgspec.json.encode(interval), type=tuple[float, float]) == interval


def test_what_once_was_refuted_stays_out_of_the_interval_when_the_median_moves_there(
    lives: Callable[..., Lives],
) -> None:
    draw = Random(10)
    trial = tried(TestSpec(), lives(draw, 35, change=0.05), lives(draw, 50))
    assert trial.verdict == "regression"
    assert trial.change is not None
    interval = trial.interval()
    assert interval is not None
    assert trial.change < 0.02 < interval[0]


def test_where_no_one_change_fits_there_is_no_interval() -> None:
    trial = tried(TestSpec(), of_change(0.1, 40), of_change(-0.1, 400))
    assert trial.worse.max_wealth >= 1000
    assert trial.not_worse.max_wealth >= 1000
    assert trial.interval() is None


@pytest.mark.parametrize("pairs", [1, 5])
def test_how_many_more_pairs_are_needed_is_about_what_it_takes(lives: Callable[..., Lives], pairs: int) -> None:
    said, taken = [], []
    for seed in range(20):
        trial = SequentialTest(TestSpec())
        drawn = iter(lives(Random(seed), 600, spread=0.05, pairs=pairs))
        while trial.not_worse.max_wealth < 30:
            trial.add(*next(drawn))
        needed, seen = trial.pairs_needed(), len(trial.pairs)
        assert needed is not None
        said.append(needed)
        while trial.not_worse.max_wealth < 1000:
            trial.add(*next(drawn))
        taken.append(len(trial.pairs) - seen)
        assert trial.verdict is None or trial.pairs_needed() is None
    assert sum(taken) / 2 < sum(said) < sum(taken) * 2


def test_evidence_that_shrinks_promises_nothing() -> None:
    trial = tried(
        TestSpec(), of_change(0.02, LEARNING_BLOCKS), [(CostPair(old=1.0, new=ratio),) for ratio in (1.5, 0.5) * 3]
    )
    assert trial.pairs_needed() is None


def won(wager: EProcess, rule: TestSpec) -> bool:
    return wager.max_wealth * rule.alpha >= 1


@pytest.mark.parametrize(
    ("rule", "count", "pairs", "luck"),
    [
        (TestSpec(alpha=0.1), 50, 1, 0.0),
        (TestSpec(alpha=0.1, gate=0.05, lower_is_better=False), 50, 1, 0.0),
        (TestSpec(alpha=0.1), 40, 4, 0.02),
        (TestSpec(alpha=0.1, quantile="p95"), 120, 1, 0.0),
        (TestSpec(alpha=0.1, quantile="p95"), 50, 4, 0.02),
    ],
)
def test_a_change_at_the_gate_is_seldom_called_either_way_however_often_one_looks(
    lives: Callable[..., Lives], rule: TestSpec, count: int, pairs: int, luck: float
) -> None:
    draw, runs, worse, not_worse = Random(11), 1500, 0, 0
    for _ in range(runs):
        drawn = lives(draw, count, change=rule.gate, luck=luck, pairs=pairs, lower_is_better=rule.lower_is_better)
        trial = tried(rule, drawn)
        worse += won(trial.worse, rule)
        not_worse += won(trial.not_worse, rule)
    # So many more than alpha are counted by chance in less than one of ten thousand.
    most = runs * rule.alpha + 3.8 * math.sqrt(runs * rule.alpha * (1 - rule.alpha))
    assert runs * rule.alpha / 10 < worse < most
    assert runs * rule.alpha / 10 < not_worse < most


@pytest.mark.parametrize("lower_is_better", [True, False])
def test_over_all_the_ways_in_which_luck_can_fall_the_wealths_come_to_1_at_most(*, lower_is_better: bool) -> None:
    gate = to_log(0.02, lower_is_better=lower_is_better)
    sizes = [(0.01,), (0.05, 0.01, 0.02), (0.03,), (0.2, -0.1), (0.002,), (0.04,), (0.01,), (0.3,), (0.02, 0.03)]
    worse, not_worse = [], []
    for signs in product((1, -1), repeat=len(sizes)):
        # Either version may have had a life's two processes: all of its pairs turn at once.
        lives = [
            tuple(CostPair(old=1.0, new=math.exp(gate + sign * size)) for size in life)
            for sign, life in zip(signs, sizes, strict=True)
        ]
        trial = tried(TestSpec(lower_is_better=lower_is_better), lives)
        worse.append(trial.worse.wealth)
        not_worse.append(trial.not_worse.wealth)
    for wealths in (worse, not_worse):
        assert math.fsum(wealths) / len(wealths) == pytest.approx(1)
        assert max(wealths) > 2


def test_over_all_the_ways_in_which_luck_can_fall_the_wealths_on_a_tail_come_to_1_at_most() -> None:
    draw = Random(12)
    lives = [tuple((draw.lognormvariate(0, 1), draw.lognormvariate(0, 1)) for _ in range(8)) for _ in range(12)]
    worse, not_worse = [], []
    for turned in product((False, True), repeat=len(lives)):
        drawn = [
            tuple(CostPair(old=pair[turn], new=1.02 * pair[not turn]) for pair in life)
            for turn, life in zip(turned, lives, strict=True)
        ]
        trial = tried(TestSpec(quantile="p95"), drawn)
        worse.append(trial.worse.wealth)
        not_worse.append(trial.not_worse.wealth)
    for wealths in (worse, not_worse):
        assert math.fsum(wealths) / len(wealths) == pytest.approx(1)
        assert max(wealths) > 2
