from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_guard.ab.bet import Pair
from aether_guard.ab.order import EXPECTED_PAIRS, Orders

COST = st.floats(0.5, 2)
PAIR = st.builds(Pair, old=COST, new=COST, new_first=st.booleans())
LIFE = st.lists(PAIR, min_size=1, max_size=4)


def turned_round(pair: Pair) -> Pair:
    return Pair(old=pair.new, new=pair.old, new_first=not pair.new_first)


def orders_of(lives: list[list[Pair]], reach: float = 0.5) -> Orders:
    orders = Orders()
    for life in lives:
        orders.add(life)
    orders.look_up(reach)
    return orders


def drawn(draw: Random, count: int, *, change: float = 0.0, second: float = 0.0) -> list[list[Pair]]:
    """Return lives of two pairs of one order in which going second costs `second` more."""
    lives = []
    for _ in range(count):
        new_first = draw.random() < 0.5
        log_ratios = [draw.gauss(change, 0.03) + (-second if new_first else second) for _ in range(2)]
        lives.append([Pair(old=1.0, new=math.exp(log_ratio), new_first=new_first) for log_ratio in log_ratios])
    return lives


@given(lives=st.lists(LIFE, max_size=10), life=LIFE)
def test_turning_versions_and_orders_round_turns_round_what_is_left_of_a_pair(
    lives: list[list[Pair]], life: list[Pair]
) -> None:
    orders = orders_of(lives)
    other = orders.log_ratios([turned_round(pair) for pair in life])
    assert other == pytest.approx([-log_ratio for log_ratio in orders.log_ratios(life)])


@given(lives=st.lists(LIFE, max_size=10), life=LIFE)
def test_which_version_past_pairs_were_of_does_not_matter(lives: list[list[Pair]], life: list[Pair]) -> None:
    other = orders_of([[turned_round(pair) for pair in past] for past in lives])
    assert other.log_ratios(life) == pytest.approx(orders_of(lives).log_ratios(life))


@pytest.mark.parametrize("change", [0.0, 0.05])
def test_the_order_is_taken_out_and_the_change_is_left_in(change: float) -> None:
    lives = drawn(Random(1), 4000, change=change, second=-0.02)
    orders = orders_of(lives)
    for new_first in (True, False):
        left = [left for life in lives if life[0].new_first is new_first for left in orders.log_ratios(life)]
        assert sum(left) / len(left) == pytest.approx(change, abs=0.003)


@pytest.mark.parametrize("new_first", [True, False])
def test_of_one_order_alone_nothing_can_be_told(*, new_first: bool) -> None:
    lives = [[Pair(old=1.0, new=1.5, new_first=new_first)]] * 50
    assert orders_of(lives).log_ratios(lives[0]) == pytest.approx([math.log(1.5)])


def test_what_is_not_yet_looked_up_is_not_known() -> None:
    orders, lives = Orders(), drawn(Random(2), 100, second=0.1)
    for life in lives:
        orders.add(life)
    assert orders.log_ratios(lives[0]) == pytest.approx([pair.log_ratio for pair in lives[0]])


def test_few_pairs_tell_little() -> None:
    both = [Pair(old=1.0, new=math.exp(-0.1), new_first=True), Pair(old=1.0, new=math.exp(0.1))]
    for count in (1, 4, 400):
        orders = orders_of([[pair] for pair in both] * count)
        share = 2 * count / (2 * count + EXPECTED_PAIRS)
        assert orders.log_ratios(both[:1]) == pytest.approx([-0.1 + 0.1 * share])


def test_a_pair_that_is_far_off_tells_as_much_as_one_within_reach() -> None:
    near, far = ([[Pair(old=1.0, new=new)], [Pair(old=1.0, new=1.0, new_first=True)]] for new in (math.exp(0.1), 1e6))
    life = [Pair(old=1.0, new=1.0)]
    assert orders_of(near, 0.1).log_ratios(life) == pytest.approx(orders_of(far, 0.1).log_ratios(life))
