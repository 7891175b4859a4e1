from __future__ import annotations

import math
from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_compare.stats.variance import MIN_VARIANCE, PRIOR, PRIOR_FACTOR, VarianceEstimator, clipped_mean

RATIOS = st.lists(st.floats(-1, 1), min_size=1, max_size=8)


def estimator_of(draw: Random, count: int, pairs: int, *, within: float, between: float) -> VarianceEstimator:
    """Return the estimator after blocks whose pairs vary by `within`, and whose centres by `between`."""
    estimator = VarianceEstimator()
    for _ in range(count):
        centre = draw.gauss(0, between)
        estimator.add([draw.gauss(centre, within) for _ in range(pairs)])
    return estimator


@given(ratios=RATIOS, bounds=st.tuples(st.floats(-1, 1), st.floats(-1, 1)), clip=st.floats(0, 1))
def test_a_clipped_mean_falls_in_its_bound_and_is_never_beyond_the_clip(
    ratios: list[float], bounds: tuple[float, float], clip: float
) -> None:
    low, high = (clipped_mean(ratios, bound, clip) for bound in sorted(bounds, reverse=True))
    assert low <= high + 1e-15
    assert max(abs(low), abs(high)) <= clip * (1 + 1e-12)


@pytest.mark.parametrize(("pairs", "wanted"), [(1, 3), (2, 2), (3, 1), (9, 1)])
def test_the_prior_holds_until_there_are_repeats_or_some_blocks(pairs: int, wanted: int) -> None:
    estimator, learned = VarianceEstimator(), []
    for _ in range(wanted + 1):
        learned.append(estimator.estimate() != PRIOR)
        estimator.add([0.1] * pairs)
    assert learned == [False] * wanted + [True]


def test_in_the_prior_a_pair_counts_as_far_as_the_normal_distribution_has_it() -> None:
    draw = Random(6)
    pairs = [draw.gauss(0, math.sqrt(PRIOR.block)) for _ in range(20_000)]
    assert fmean(abs(pair) < PRIOR.clip for pair in pairs) == pytest.approx(PRIOR.unclipped_share, abs=0.01)


@pytest.mark.parametrize("pairs", [2, 3, 10])
def test_the_variance_of_blocks_is_that_of_their_means(pairs: int) -> None:
    estimate = estimator_of(Random(1), 2000, pairs, within=0.03, between=0.02).estimate()
    assert math.sqrt(estimate.block) == pytest.approx(math.sqrt(0.02**2 + 0.03**2 / pairs), rel=0.15)


def test_after_a_single_block_more_is_expected_than_its_pairs_vary_by() -> None:
    estimate = estimator_of(Random(2), 1, 20, within=0.03, between=0.0).estimate()
    assert estimate.block == pytest.approx(PRIOR_FACTOR * 0.03**2 / 20, rel=0.4)


def test_an_outlying_block_counts_as_one_at_the_edge() -> None:
    draw = Random(3)
    plain, spiked = (estimator_of(Random(4), 40, 3, within=0.03, between=0.01) for _ in range(2))
    spiked.add([draw.gauss(5, 0.03) for _ in range(3)])
    assert spiked.estimate().block == pytest.approx(plain.estimate().block, rel=0.3)


def test_blocks_that_are_all_alike_have_a_variance_that_can_be_divided_by() -> None:
    estimator = VarianceEstimator()
    for _ in range(3):
        estimator.add([0.01])
    assert estimator.estimate().block == MIN_VARIANCE


@given(blocks=st.lists(st.lists(st.floats(-10, 10), min_size=1, max_size=4), min_size=3, max_size=6))
def test_some_pair_always_counts_as_it_is(blocks: list[list[float]]) -> None:
    estimator = VarianceEstimator()
    for block in blocks:
        estimator.add(block)
    assert estimator.estimate().unclipped_share > 0


def test_two_far_from_the_middle_count_as_they_are() -> None:
    for distance in (0.1 * number for number in range(1, 100)):
        estimator = VarianceEstimator()
        for ratio in (-distance, distance, distance, -distance):
            estimator.add([ratio])
        assert estimator.estimate().unclipped_share > 0
