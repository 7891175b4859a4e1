from __future__ import annotations

import math
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_compare.stats.e_process import MAX_STAKES, CostPair
from aether_compare.stats.scoring import TAIL_LEARNING_PAIRS, LocationScorer, TailScorer
from aether_compare.stats.variance import LEARNING_BLOCKS, PRIOR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COST = st.floats(0.5, 2)
PAIR = st.builds(CostPair, old=COST, new=COST)
LIFE = st.lists(PAIR, min_size=1, max_size=3)
LIVES = st.lists(LIFE, min_size=LEARNING_BLOCKS + 1, max_size=30)
TAIL_LIVES = st.lists(LIFE, min_size=TAIL_LEARNING_PAIRS + 1, max_size=TAIL_LEARNING_PAIRS + 10)


def of_ratios(*ratios: float) -> list[CostPair]:
    return [CostPair(old=1.0, new=math.exp(ratio)) for ratio in ratios]


def of_old(*costs: float) -> list[CostPair]:
    return [CostPair(old=cost, new=1.0) for cost in costs]


def tail_after(scorer: TailScorer, learned: Sequence[float]) -> TailScorer:
    for cost in learned:
        scorer.score(of_old(cost))
    return scorer


@pytest.mark.parametrize(("pairs", "untold"), [(1, 3), (2, 2), (3, 1), (20, 1)])
def test_until_blocks_show_their_spread_they_are_expected_to_vary_by_rather_more_than_most(
    pairs: int, untold: int
) -> None:
    scorer = LocationScorer(0.02)
    slopes = [scorer.score(of_ratios(*[0.001 * number] * pairs)).slopes for number in range(untold + 2)]
    assert len(set(slopes[:untold])) == 1
    assert slopes[0][1] == pytest.approx(0.02 / 0.04**2 / PRIOR.unclipped_share)
    assert min(slopes[untold]) > 2 * max(slopes[0])


@pytest.mark.parametrize(("pairs", "learning"), [(1, 40), (3, 14), (40, 1), (41, 1)])
def test_a_tail_is_learned_from_so_many_pairs_in_however_many_lives(pairs: int, learning: int) -> None:
    scorer = TailScorer(0.95)
    scores = [scorer.score(of_old(*[1.0 + number] * pairs)) for number in range(learning + 2)]
    assert [score is None for score in scores] == [True] * learning + [False] * 2


@given(lives=LIVES, last=PAIR)
def test_what_is_bet_on_a_shift_depends_on_the_past_only(lives: list[list[CostPair]], last: CostPair) -> None:
    one, other = LocationScorer(0.02), LocationScorer(0.02)
    for life in lives[:-1]:
        assert one.score(life) == other.score(life)
    this, that = one.score(lives[-1]), other.score([last] * len(lives[-1]))
    assert this is not None
    assert that is not None
    assert (this.slopes, this.clip) == (that.slopes, that.clip)


@given(lives=TAIL_LIVES, last=COST)
def test_a_tails_threshold_depends_on_the_past_only(lives: list[list[CostPair]], last: float) -> None:
    one, other = TailScorer(0.95), TailScorer(0.95)
    for life in lives:
        one.score(life)
        other.score(life)
    this, that = one.score([CostPair(old=0.1, new=1.0)]), other.score([CostPair(old=last, new=1.0)])
    assert this is not None
    assert that is not None
    assert this.log_excesses == that.log_excesses


def test_the_spread_is_learned_anew_as_what_was_seen_grows_by_a_quarter() -> None:
    scorer, anew, slopes = LocationScorer(0.02), [], (0.0,)
    for seen in range(60):
        score = scorer.score(of_ratios(0.001 * 1.1**seen))
        if score.slopes != slopes:
            anew.append(seen)
            slopes = score.slopes
    assert anew == [0, 3, 4, 5, 7, 9, 12, 15, 19, 24, 30, 38, 48]


def test_of_normal_noise_the_bet_is_that_of_a_likelihood() -> None:
    draw, scorer = Random(2), LocationScorer(0.02)
    scores = [scorer.score(of_ratios(draw.gauss(0.5, 0.03))) for _ in range(3000)]
    assert scores[-1] is not None
    # Half of the figures count as they are, and their clipped mean varies by a quarter more than their mean.
    assert scores[-1].slopes[1] == pytest.approx(0.02 / (1.25 * 0.03**2) / 0.5, rel=0.15)


def test_half_of_the_pairs_count_as_they_are() -> None:
    draw, scorer = Random(5), LocationScorer(0.02)
    for _ in range(1000):
        score = scorer.score(of_ratios(*(draw.gauss(0.5, 0.03) for _ in range(3))))
    assert score is not None
    assert score.clip == pytest.approx(0.6745 * 0.03, rel=0.1)


def test_the_quieter_the_pairs_the_more_is_bet() -> None:
    slopes = []
    for spread in (0.5, 0.05, 0.005):
        draw, scorer = Random(3), LocationScorer(0.02)
        score = [scorer.score(of_ratios(draw.gauss(0, spread))) for _ in range(20)][-1]
        assert score is not None
        assert len(score.slopes) == len(scorer.shares)
        slopes.append(score.slopes)
    for noisy, quiet in pairwise(slopes):
        assert all(0 < less < more for less, more in zip(noisy, quiet, strict=True))


def test_even_for_a_gate_of_nothing_something_is_bet() -> None:
    scorer = LocationScorer(0.0)
    score = [scorer.score(of_ratios(0.01 * number)) for number in range(8)][-1]
    assert score is not None
    assert min(score.slopes) > 0


def test_pairs_that_are_all_alike_are_scored_by_their_side_of_the_bound() -> None:
    scorer = LocationScorer(0.02)
    score = [scorer.score(of_ratios(0.01)) for _ in range(8)][-1]
    assert score is not None
    for bound, sign in ((-0.02, 1), (0.0099, 1), (0.0101, -1), (0.02, -1)):
        assert score.payoffs(bound) == tuple(sign * most for most in MAX_STAKES)


@pytest.mark.parametrize(("probability", "threshold"), [(0.95, 38.05), (0.05, 2.95)])
def test_a_tails_threshold_is_the_quantile_of_past_old_costs(probability: float, threshold: float) -> None:
    costs = [float(cost) for cost in range(1, 41)]
    Random(4).shuffle(costs)
    scorer = tail_after(TailScorer(probability), costs)
    score = scorer.score(
        [CostPair(old=threshold - 0.01, new=threshold), CostPair(old=threshold + 0.01, new=2 * threshold)]
    )
    assert score is not None
    assert score.log_excesses == pytest.approx((0, math.log(2)))
    assert score.old_over == 1


@pytest.mark.parametrize("make", [lambda: LocationScorer(0.02), lambda: TailScorer(0.95)])
def test_the_shares_are_all_of_the_first_wealth(make: Callable[[], LocationScorer | TailScorer]) -> None:
    assert math.fsum(make().shares) == pytest.approx(1)
    assert min(make().shares) > 0
