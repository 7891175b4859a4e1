from __future__ import annotations

import math
from random import Random
from statistics import fmean

import pytest

from aether_guard.ab.length import FIRST_LENGTH, LEARNING_LIVES, LENGTHS, Always, Soonest, growth


def settled(*, noise: float, luck: float, pair_s: float, begin_s: float) -> int:
    """Return the length that lives of this kind come to."""
    draw, lengths = Random(1), Soonest(0.02)
    for _ in range(200):
        count = lengths.next()
        centre = draw.gauss(0, luck)
        lengths.learn([draw.gauss(centre, noise) for _ in range(count)], count * pair_s, begin_s)
    return lengths.next()


def test_the_length_stays_until_some_lives_have_told_of_themselves() -> None:
    lengths, seen = Soonest(0.02), []
    for _ in range(LEARNING_LIVES + 1):
        seen.append(lengths.next())
        lengths.learn([0.0, 0.05, -0.05], 0.001, 1.0)
    assert seen[:-1] == [FIRST_LENGTH] * LEARNING_LIVES
    assert seen[-1] > FIRST_LENGTH


def test_processes_that_are_quickly_there_live_shortly_and_others_long() -> None:
    assert settled(noise=0.03, luck=0.01, pair_s=0.1, begin_s=0.001) == 1
    assert settled(noise=0.03, luck=0.003, pair_s=0.001, begin_s=1.0) == LENGTHS[-1]


def test_the_more_of_it_is_luck_the_shorter_a_life_is() -> None:
    lengths = [settled(noise=0.05, luck=luck, pair_s=0.01, begin_s=0.05) for luck in (0.0, 0.03, 0.2)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > lengths[-1]


def test_what_is_always_the_same_learns_nothing() -> None:
    lengths = Always(5)
    lengths.learn([0.1] * 5, 1.0, 1.0)
    assert lengths.next() == 5


@pytest.mark.parametrize("distance", [0.1, 0.5, 1.0, 1.5, 2.0, 4.0])
def test_the_growth_is_about_that_of_the_best_bet(distance: float) -> None:
    draw = Random(2)
    true = fmean(math.log1p(math.tanh(distance * draw.gauss(distance, 1))) for _ in range(100_000))
    assert growth(distance**2) == pytest.approx(true, rel=0.12)
