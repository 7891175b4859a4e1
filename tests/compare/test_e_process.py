from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_compare.stats.e_process import (
    MAX_STAKES,
    TAIL_STAKES,
    CostPair,
    EProcess,
    LocationScore,
    TailScore,
    confidence_bound,
    is_rejected,
)

LOGARITHM = st.floats(-1, 1)
WAY = st.sampled_from((1, -1))
SHARES = (0.25, 0.5, 0.25)
TAIL_SHARES = (0.1, 0.2, 0.3, 0.4)
SHIFT = st.builds(
    LocationScore,
    st.lists(LOGARITHM, min_size=1, max_size=5).map(tuple),
    st.floats(0, 10),
    st.tuples(*[st.floats(0, 1e4)] * len(SHARES)),
)
TAIL = st.builds(TailScore, st.lists(LOGARITHM, max_size=4).map(tuple), st.integers(0, 4))
SCORED = st.lists(SHIFT, max_size=30).map(lambda lives: (lives, SHARES)) | st.lists(TAIL, max_size=30).map(
    lambda lives: (lives, TAIL_SHARES)
)


def shift(log_ratio: float, slopes: tuple[float, ...]) -> LocationScore:
    return LocationScore((log_ratio,), math.inf, slopes)


def test_a_pairs_log_ratio_is_positive_where_the_new_code_costs_more() -> None:
    assert CostPair(old=2.0, new=4.0).log_ratio == pytest.approx(math.log(2))
    assert CostPair(old=4.0, new=2.0).log_ratio == pytest.approx(-math.log(2))


@given(scored=SHIFT | TAIL, bounds=st.tuples(LOGARITHM, LOGARITHM))
def test_a_gain_lies_between_minus_1_and_1_and_falls_in_the_bound(
    scored: LocationScore | TailScore, bounds: tuple[float, float]
) -> None:
    for low, high in zip(*(scored.payoffs(bound) for bound in sorted(bounds, reverse=True)), strict=True):
        assert -1 < low <= high < 1


@given(distance=LOGARITHM, bound=LOGARITHM, slope=st.floats(0, 1e4))
def test_a_shift_as_far_above_the_bound_as_another_is_below_says_as_much(
    distance: float, bound: float, slope: float
) -> None:
    slopes = (slope,) * len(MAX_STAKES)
    above, below = (shift(way * distance, slopes).payoffs(0) for way in (1, -1))
    assert above == tuple(-gain for gain in below)
    assert shift(bound, slopes).payoffs(bound) == (0, 0, 0)


def test_a_shift_gains_as_its_likelihood_over_the_mean_of_its_own_and_its_opposites_short_of_the_most() -> None:
    change, variance = 0.02, 0.03**2
    for distance in (-0.02, 0.001, 0.02):
        density, opposite = (math.exp(-((sign * distance - change) ** 2) / (2 * variance)) for sign in (1, -1))
        (_, gain, _) = shift(distance, (0, change / variance, 0)).payoffs(0)
        assert gain == pytest.approx(2 * density / (density + opposite) - 1, abs=0.06)
    assert shift(5.0, (1e4,) * 3).payoffs(0) == MAX_STAKES


def test_a_pair_far_off_the_bound_counts_as_one_within_reach() -> None:
    slopes = (1.0,) * len(MAX_STAKES)
    near, far = (LocationScore((0.0, distance), 0.05, slopes) for distance in (0.07, 5.0))
    assert far.payoffs(0.02) == pytest.approx(near.payoffs(0.02))
    assert far.payoffs(0.02) == pytest.approx(LocationScore((0.015,), 0.05, slopes).payoffs(0.0))
    assert far.payoffs(-4.0) == pytest.approx(LocationScore((0.05,), 0.05, slopes).payoffs(0.0))


@pytest.mark.parametrize(
    ("excesses", "old_over", "score"),
    [
        ((0.05,), 0, 1),
        ((0.01,), 0, 0),
        ((0.01,), 1, -1),
        ((0.05,), 1, 0),
        ((0.05, 0.06, -0.1), 1, 1),
        ((0.05, 0.01, -0.1), 3, -1),
        ((0.05, 0.06, -0.1), 2, 0),
    ],
)
def test_a_tail_says_on_which_side_more_are_over_the_threshold(
    excesses: tuple[float, ...], old_over: int, score: float
) -> None:
    assert TailScore(excesses, old_over).payoffs(0.02) == tuple(score * stake for stake in TAIL_STAKES)


@given(scored=SCORED, bound=LOGARITHM, way=WAY)
def test_a_wealth_is_never_negative_and_its_peak_is_the_highest_it_ever_was(
    scored: tuple[list[LocationScore | TailScore], tuple[float, ...]], bound: float, way: int
) -> None:
    lives, shares = scored
    wager, seen = EProcess(bound, way, shares), [1.0]
    for life in lives:
        wager.add(life)
        seen.append(wager.wealth)
    assert min(seen) >= 0
    assert wager.max_wealth == max(seen)


def test_a_bet_gains_and_loses_what_was_staked_on_it() -> None:
    won, lost = EProcess(0.0, 1, TAIL_SHARES), EProcess(0.0, -1, TAIL_SHARES)
    for wager in (won, lost):
        wager.add(TailScore((0.05,), 0))
    gained = math.fsum(share * stake for share, stake in zip(TAIL_SHARES, TAIL_STAKES, strict=True))
    assert won.wealth == pytest.approx(1 + gained)
    assert lost.wealth == pytest.approx(1 - gained)


def test_a_wealth_that_has_said_all_stays_a_finite_number() -> None:
    wager = EProcess(0.0, 1, SHARES)
    for _ in range(3000):
        wager.add(shift(1.0, (1e4,) * 3))
    assert 1e299 < wager.wealth < math.inf


@pytest.mark.parametrize("way", [1, -1])
def test_over_all_the_ways_a_fair_game_can_go_the_wealth_comes_to_1_and_seldom_to_much(way: int) -> None:
    sizes = (0.01, 0.2, 0.05, 0.03, 0.08, 0.02, 0.2, 0.06, 0.04, 0.2)
    games = []
    for signs in product((1, -1), repeat=len(sizes)):
        wager = EProcess(0.02, way, SHARES)
        for sign, size in zip(signs, sizes, strict=True):
            wager.add(shift(0.02 + sign * size, (5, 10, 100)))
        games.append(wager)
    assert math.fsum(wager.wealth for wager in games) / len(games) == pytest.approx(1, rel=1e-12)
    for alpha in (0.5, 0.2, 0.1, 0.05):
        assert 0 < sum(wager.max_wealth * alpha >= 1 for wager in games) <= alpha * len(games)


@given(scored=SCORED, bounds=st.tuples(LOGARITHM, LOGARITHM), way=WAY, alpha=st.floats(0.01, 0.9))
def test_what_lies_farther_off_is_refuted_too(
    scored: tuple[list[LocationScore | TailScore], tuple[float, ...]],
    bounds: tuple[float, float],
    way: int,
    alpha: float,
) -> None:
    lives, shares = scored
    farther, nearer = sorted(bounds, reverse=way < 0)
    if is_rejected(lives, nearer, way, shares, alpha):
        assert is_rejected(lives, farther, way, shares, alpha)


def test_what_was_refuted_once_stays_refuted() -> None:
    for_it, against_it = (shift(value, (3.0,) * 3) for value in (0.2, -0.2))
    assert not is_rejected([for_it] * 5, 0.0, 1, SHARES, 0.1)
    assert is_rejected([for_it] * 6, 0.0, 1, SHARES, 0.1)
    assert is_rejected([for_it] * 6 + [against_it] * 50, 0.0, 1, SHARES, 0.1)


@pytest.mark.parametrize("edge", [-3.0, -0.3, -0.0123456, 0.0200001, 0.5, 4.0])
@pytest.mark.parametrize("start", [-0.02, 0.02])
@pytest.mark.parametrize("way", [1, -1])
def test_the_edge_is_found_on_either_side_and_is_itself_refuted(edge: float, start: float, way: int) -> None:
    def is_refuted(bound: float) -> bool:
        return bound <= edge if way > 0 else bound >= edge

    found = confidence_bound(is_refuted, start, way)
    assert found == pytest.approx(edge, abs=2e-6)
    assert is_refuted(found)
    assert (found >= start if way > 0 else found <= start) == is_refuted(start)


@pytest.mark.parametrize("way", [1, -1])
def test_where_nothing_is_refuted_or_all_is_there_is_no_finite_edge(way: int) -> None:
    assert confidence_bound(lambda _: False, 0.02, way) == -way * math.inf
    assert confidence_bound(lambda _: True, 0.02, way) == way * math.inf
