from __future__ import annotations

import math
from itertools import chain, repeat
from random import Random
from statistics import fmean
from typing import TYPE_CHECKING

import pytest

from aether_guard.ab.bet import Pair
from aether_guard.ab.length import (
    ABOUT_AS_SOON,
    LEARNING_LIVES,
    LENGTHS,
    LONG,
    TELLING_LENGTH,
    Always,
    Soonest,
    Spent,
    growth,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def life_of(*log_ratios: float) -> list[Pair]:
    return [Pair(old=1.0, new=math.exp(log_ratio)) for log_ratio in log_ratios]


def settled(  # noqa: PLR0913 - what lives are like
    *,
    noise: float,
    luck: float,
    pair_s: float,
    begin_s: float,
    nest_s: float = 0.0,
    order: float = 0.0,
) -> int:
    """Return the length that lives of this kind come to; going second in a pair costs `order` more."""
    draw, lengths = Random(1), Soonest(0.02)
    for _ in range(200):
        count = lengths.next()
        centre = draw.gauss(0, luck)
        new_first = draw.random() < 0.5
        life = []
        for _ in range(count):
            log_ratio = draw.gauss(centre, noise) + (-order if new_first else order)
            life.append(Pair(old=1.0, new=math.exp(log_ratio), new_first=new_first))
        lengths.learn(life, Spent(begin_s=begin_s, pairs_s=count * pair_s, next_s=0.001, nest_s=nest_s))
    return lengths.next()


def first_lengths(spent: Callable[[int], Spent], *, lives: int = LEARNING_LIVES) -> list[int]:
    """Return the lengths of the first lives, of which each takes what `spent` says of its length."""
    lengths, seen = Soonest(0.02), []
    for number in range(lives):
        seen.append(lengths.next())
        lengths.learn(life_of(*[0.01 * (-1) ** number] * seen[-1]), spent(seen[-1]))
    return seen


def test_until_lives_tell_what_they_vary_by_their_length_is_by_what_they_take() -> None:
    # Longer lives would wait for the next processes.
    in_time = first_lengths(lambda count: Spent(begin_s=0.02, pairs_s=0.01 * count, next_s=0.005, nest_s=0.17))
    assert in_time == [1, TELLING_LENGTH, 1, TELLING_LENGTH, 1, 1]
    # There, more pairs take next to no time.
    assert first_lengths(lambda count: Spent(begin_s=0.2, pairs_s=0.01 * count)) == [1, TELLING_LENGTH, *[3] * 4]


def test_what_the_first_life_takes_tells_nothing_of_the_others() -> None:
    def spent(count: int) -> Spent:
        return Spent(begin_s=next(begin_s), pairs_s=0.01 * count, next_s=0.005, nest_s=0.17)

    begin_s = chain([9.0], repeat(0.02))
    assert first_lengths(spent) == [1, TELLING_LENGTH, 1, TELLING_LENGTH, 1, 1]


def test_where_a_second_pair_takes_hardly_longer_no_life_but_the_first_is_without() -> None:
    # Noise that is far smaller than the luck, so that one pair would do.
    draw, lengths, seen = Random(1), Soonest(0.02), []
    for _ in range(40):
        seen.append(lengths.next())
        centre = draw.gauss(0, 0.1)
        life = life_of(*(draw.gauss(centre, 0.001) for _ in range(seen[-1])))
        lengths.learn(life, Spent(begin_s=0.1, pairs_s=0.01 * len(life)))
    assert min(seen[1:]) == TELLING_LENGTH == seen[-1]


def test_processes_that_are_quickly_there_live_shortly_and_others_long() -> None:
    assert settled(noise=0.03, luck=0.01, pair_s=0.1, begin_s=0.001) == 1
    assert settled(noise=0.04, luck=0.003, pair_s=0.001, begin_s=1.0) == LONG


def test_a_life_is_longer_than_most_only_where_it_varies_by_far_more_than_forks_share() -> None:
    # Of 10 % a pair 2 % are left after 25 pairs, of 5 % after 6.
    assert settled(noise=0.1, luck=0.003, pair_s=0.001, begin_s=1.0) == LENGTHS[-1]
    assert settled(noise=0.05, luck=0.003, pair_s=0.001, begin_s=1.0) in (LONG, 7)


def test_the_more_of_it_is_luck_the_shorter_a_life_is() -> None:
    lengths = [settled(noise=0.05, luck=luck, pair_s=0.01, begin_s=0.05) for luck in (0.0, 0.03, 0.2)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > lengths[-1]


def test_lives_of_one_pair_go_on_telling_noise_from_luck_each_time_they_have_doubled() -> None:
    seen = first_lengths(lambda count: Spent(begin_s=0.001, pairs_s=1.0 * count), lives=70)
    assert [number for number, length in enumerate(seen, 1) if length == TELLING_LENGTH] == [2, 4, 8, 16, 32, 64]
    assert set(seen) == {1, TELLING_LENGTH}


def test_what_is_always_the_same_learns_nothing() -> None:
    lengths = Always(5)
    lengths.learn(life_of(*[0.1] * 5), Spent(begin_s=1.0, pairs_s=1.0))
    assert lengths.next() == 5


def test_lives_are_so_short_that_the_next_processes_are_there_in_time() -> None:
    lengths = [settled(noise=0.03, luck=0.008, pair_s=0.009, begin_s=0.05, nest_s=nest_s) for nest_s in (0.0, 0.4, 2.0)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > lengths[-1] == 1


def test_of_lengths_that_are_about_as_soon_it_is_the_shortest() -> None:
    # Of nothing but noise that is far larger than the change, a pair is worth the same in any life.
    for begin_s, length in ((0.0, 1), (0.5 * (ABOUT_AS_SOON - 1), 1), (10.0, LENGTHS[-1])):
        assert settled(noise=0.2, luck=0.0, pair_s=1.0, begin_s=begin_s) == length


def test_what_the_order_costs_is_not_taken_for_luck() -> None:
    plain, ordered, lucky = (
        settled(noise=0.05, luck=luck, pair_s=0.01, begin_s=0.05, order=order)
        for luck, order in ((0.003, 0.0), (0.003, 0.05), (0.05, 0.0))
    )
    assert ordered == plain > lucky


@pytest.mark.parametrize("distance", [0.1, 0.5, 1.0, 1.5, 2.0, 4.0])
def test_the_growth_is_about_that_of_the_best_bet(distance: float) -> None:
    draw = Random(2)
    true = fmean(math.log1p(math.tanh(distance * draw.gauss(distance, 1))) for _ in range(100_000))
    assert growth(distance**2) == pytest.approx(true, rel=0.12)
