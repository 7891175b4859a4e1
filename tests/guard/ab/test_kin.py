from __future__ import annotations

import math
from random import Random
from statistics import fmean

import pytest

from aether_guard.ab.kin import IN_COMMON, PAIRS_A_NEST, has_room, lives_a_nest, weight_of_life
from aether_guard.ab.length import LENGTHS


@pytest.mark.parametrize("length", LENGTHS)
def test_what_forks_of_one_process_share_is_in_few_pairs(length: int) -> None:
    lives = lives_a_nest(length)
    assert lives >= 2
    assert lives * length <= max(PAIRS_A_NEST, 2 * length)
    room = [has_room(before, before * length, length) for before in range(10)]
    assert room == [True] * lives + [False] * (10 - lives)


def test_pairs_are_counted_where_lives_become_shorter() -> None:
    # Three lives of two pairs each leave room for two of one.
    assert [has_room(3 + more, 6 + more, 1) for more in range(4)] == [True, True, False, False]


@pytest.mark.parametrize("pairs", LENGTHS)
def test_lives_that_may_have_something_in_common_weigh_less(pairs: int) -> None:
    assert 0.9 < weight_of_life(pairs, forked=True) < 1
    assert weight_of_life(pairs, forked=False) == 1


@pytest.mark.parametrize(("pairs", "more"), [(3, 4), (4, 5), (1, 2)])
def test_the_less_of_a_life_is_noise_and_the_more_kin_it_has_the_less_it_weighs(pairs: int, more: int) -> None:
    per_life = [1 / weight_of_life(count, forked=True) - 1 for count in (pairs, more)]
    shares = [cost / (lives_a_nest(count) - 1) for cost, count in zip(per_life, (pairs, more), strict=True)]
    assert shares == pytest.approx([IN_COMMON * pairs, IN_COMMON * more])


def test_lives_that_are_long_since_they_vary_by_much_have_no_more_in_common_than_those_of_five_pairs() -> None:
    assert weight_of_life(20, forked=True) == weight_of_life(5, forked=True)


@pytest.mark.parametrize("way", [1, -1])
def test_bets_on_lives_with_so_much_in_common_are_fair_again(way: int) -> None:
    # As good as a likelihood, whose wealth is easily played: of normal scores with a standard deviation of 1.
    draw, lives, change = Random(3), lives_a_nest(1), 0.3
    weighed, unweighed = [], []
    for _ in range(200_000):
        common = draw.gauss(0, math.sqrt(IN_COMMON))
        scores = (common + draw.gauss(0, math.sqrt(1 - IN_COMMON)) for _ in range(lives))
        grown = math.fsum(way * change * score - change**2 / 2 for score in scores)
        unweighed.append(math.exp(grown))
        weighed.append(math.exp(weight_of_life(1, forked=True) * grown))
    assert fmean(weighed) == pytest.approx(1, abs=0.01)
    assert fmean(unweighed) > 1.03
