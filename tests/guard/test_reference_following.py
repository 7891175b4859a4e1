from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from aether_guard.check.reference_following import LEVEL, Following, read_following
from aether_schema import Levels, RunLevels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aether_schema import Summary


def rounds(values: Sequence[float]) -> list[list[float]]:
    return [[value] * 3 for value in values]


SPEEDS = (0.9, 0.95, 1.0, 1.05, 1.1)


def test_a_bench_that_slows_with_its_reference_follows_it(sampled: Callable[..., Summary]) -> None:
    side = sampled(rounds([10 * speed for speed in SPEEDS]), rulers=rounds(SPEEDS))
    following = read_following(side, side)
    assert following == Following(
        correlation=pytest.approx(1), part=pytest.approx(1), chance=pytest.approx(0, abs=1e-6), count=10
    )
    assert following.is_shown(LEVEL)


def test_where_the_sides_differ_is_no_matter(sampled: Callable[..., Summary]) -> None:
    sides = [
        sampled(rounds([10 * cost * speed for speed in SPEEDS]), rulers=rounds([slower * speed for speed in SPEEDS]))
        for cost, slower in ((1, 1), (3, 0.5))
    ]
    following = read_following(*sides)
    assert following is not None
    assert following.correlation == pytest.approx(1)


def test_a_bench_that_slows_by_much_less_does_not_follow(sampled: Callable[..., Summary]) -> None:
    side = sampled(rounds([speed**0.2 for speed in SPEEDS]), rulers=rounds(SPEEDS))
    following = read_following(side, side)
    assert following is not None
    assert (following.part, following.correlation) == (pytest.approx(0.2), pytest.approx(1))
    assert not following.is_shown(1.0)


@pytest.mark.parametrize(("bench", "reference"), [(SPEEDS, (1.0,) * 5), ((1.0,) * 5, SPEEDS), ((1.0,) * 5, (1.0,) * 5)])
def test_of_what_does_not_move_nothing_is_known(
    sampled: Callable[..., Summary], bench: Sequence[float], reference: Sequence[float]
) -> None:
    side = sampled(rounds(bench), rulers=rounds(reference))
    assert read_following(side, side) is None


def test_runs_of_the_baseline_count_as_well(sampled: Callable[..., Summary]) -> None:
    still = sampled(rounds([10.0] * 5), rulers=rounds([1.0] * 5))
    runs = tuple(
        RunLevels(timestamp=f"2026-01-0{day}", p50=10 * speed, normalized=Levels(p50=10.0))
        for day, speed in enumerate(SPEEDS, start=1)
    )
    following = read_following(replace(still, runs=(*runs[:-1], replace(runs[-1], timestamp=still.timestamp))), still)
    assert following is not None
    assert following.is_shown(LEVEL)
    assert following.count == 15


def test_a_bench_that_ignores_the_reference_is_seldom_taken_for_one_that_follows(
    simulated: Callable[..., Summary], sampled: Callable[..., Summary]
) -> None:
    draw = Random(1)
    count, taken = 1000, 0

    def side() -> Summary:
        own = simulated(draw, samples=3, ruler=False).samples
        assert own is not None
        return sampled(own, rulers=rounds([math.exp(draw.gauss(0, 0.05)) for _ in own]))

    for _ in range(count):
        following = read_following(side(), side())
        taken += following is not None and following.is_shown(LEVEL)
    assert taken / count <= LEVEL + 3 * math.sqrt(LEVEL / count)
