from __future__ import annotations

import math
from itertools import combinations_with_replacement
from random import Random
from statistics import fmean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_guard.ab.spread import LEAST_VARIANCE, UNTOLD, Spread, Varying, bounded_mean, middle

RATIOS = st.lists(st.floats(-1, 1), min_size=1, max_size=8)


def spread_of(draw: Random, count: int, pairs: int, *, noise: float, luck: float) -> Spread:
    spread = Spread()
    for _ in range(count):
        centre = draw.gauss(0, luck)
        spread.add([draw.gauss(centre, noise) for _ in range(pairs)])
    return spread


@given(ratios=RATIOS)
def test_the_middle_is_the_median_of_all_means_of_two(ratios: list[float]) -> None:
    means = [(a + b) / 2 for a, b in combinations_with_replacement(ratios, 2)]
    assert middle(ratios) == pytest.approx(median(means))


@given(ratios=RATIOS)
def test_what_turns_round_turns_its_middle_round(ratios: list[float]) -> None:
    assert middle([-ratio for ratio in ratios]) == pytest.approx(-middle(ratios), abs=1e-15)


@given(ratios=RATIOS, bounds=st.tuples(st.floats(-1, 1), st.floats(-1, 1)), reach=st.floats(0, 1))
def test_a_bounded_mean_falls_in_its_bound_and_is_never_beyond_its_reach(
    ratios: list[float], bounds: tuple[float, float], reach: float
) -> None:
    low, high = (bounded_mean(ratios, bound, reach) for bound in sorted(bounds, reverse=True))
    assert low <= high + 1e-15
    assert max(abs(low), abs(high)) <= reach * (1 + 1e-12)


@pytest.mark.parametrize(("pairs", "wanted"), [(1, 3), (2, 2), (3, 1), (9, 1)])
def test_it_tells_something_once_there_are_repeats_or_some_lives(pairs: int, wanted: int) -> None:
    spread, told = Spread(), []
    for _ in range(wanted + 1):
        told.append(spread.varying() != UNTOLD)
        spread.add([0.1] * pairs)
    assert told == [False] * wanted + [True]


def test_before_lives_tell_a_pair_counts_as_far_as_the_normal_distribution_has_it() -> None:
    draw = Random(6)
    pairs = [draw.gauss(0, math.sqrt(UNTOLD.varied)) for _ in range(20_000)]
    assert fmean(abs(pair) < UNTOLD.reach for pair in pairs) == pytest.approx(UNTOLD.within, abs=0.01)


@pytest.mark.parametrize("pairs", [2, 3, 10])
def test_noise_and_luck_are_told_apart(pairs: int) -> None:
    varying = spread_of(Random(1), 2000, pairs, noise=0.03, luck=0.02).varying()
    assert math.sqrt(varying.noise) == pytest.approx(0.03, rel=0.12)
    for wanted in (1, 3, 20):
        true = 0.02**2 + 0.03**2 / wanted
        assert math.sqrt(varying.variance(wanted)) == pytest.approx(math.sqrt(true), rel=0.15)


def test_a_single_life_tells_of_its_noise_and_luck_is_expected() -> None:
    varying = spread_of(Random(2), 1, 20, noise=0.03, luck=0.0).varying()
    assert varying.variance(20) == pytest.approx(1.5 * varying.noise / 20)


def test_an_outlying_life_counts_as_one_at_the_edge() -> None:
    draw = Random(3)
    plain, spiked = (spread_of(Random(4), 40, 3, noise=0.03, luck=0.01) for _ in range(2))
    spiked.add([draw.gauss(5, 0.03) for _ in range(3)])
    assert spiked.varying().variance(3) == pytest.approx(plain.varying().variance(3), rel=0.3)


@given(noise=st.floats(0, 1), varied=st.floats(1e-6, 1), pairs=st.tuples(st.integers(1, 20), st.integers(1, 20)))
def test_a_longer_life_varies_by_no_more_and_by_no_less_than_if_all_were_noise(
    noise: float, varied: float, pairs: tuple[int, int]
) -> None:
    varying = Varying(noise=noise, share=1 / 4, varied=varied, reach=1.0, within=1.0)
    shorter, longer = sorted(pairs)
    assert varying.variance(4) == pytest.approx(varied)
    assert varying.variance(longer) <= varying.variance(shorter) * (1 + 1e-12)
    assert varying.variance(longer) * longer >= varying.variance(shorter) * shorter * (1 - 1e-12)


def test_what_does_not_vary_at_all_varies_by_something_that_can_be_divided_by() -> None:
    spread = Spread()
    for _ in range(3):
        spread.add([0.01])
    assert spread.varying().variance(1) == LEAST_VARIANCE
