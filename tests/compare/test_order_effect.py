from __future__ import annotations

import math
from random import Random

import pytest

from aether_compare.stats.e_process import CostPair
from aether_compare.stats.order_effect import log_ratios_without, second_costs


def block(ratio: float, second: float, count: int, *, begins: bool, noise: float = 0.0) -> list[CostPair]:
    """Return pairs in turning order, in which coming second costs a factor more."""
    draw, pairs = Random(1), []
    for number in range(count):
        new_first = begins ^ (number % 2 == 1)
        new = ratio + draw.gauss(0, noise) + (0 if new_first else second)
        pairs.append(CostPair(old=math.exp(second if new_first else 0), new=math.exp(new), new_first=new_first))
    return pairs


@pytest.mark.parametrize("begins", [False, True])
@pytest.mark.parametrize("count", [2, 4, 5])
def test_each_two_pairs_show_the_cost_of_coming_second(count: int, *, begins: bool) -> None:
    costs = second_costs(block(0.02, 0.05, count, begins=begins))
    assert costs == pytest.approx([0.05] * (count // 2))


def test_pairs_in_one_order_show_nothing_and_keep_their_ratios() -> None:
    pairs = [CostPair(old=1.0, new=1.1, new_first=True)] * 4
    assert second_costs(pairs) == []
    assert log_ratios_without(pairs, []) == (math.log(1.1),) * 4


@pytest.mark.parametrize("begins", [False, True])
def test_without_the_cost_pairs_of_both_orders_agree(*, begins: bool) -> None:
    pairs = block(0.02, 0.05, 6, begins=begins)
    assert log_ratios_without(pairs, second_costs(pairs)) == pytest.approx((0.02,) * 6)


def test_an_outlying_pair_leaves_the_cost_as_it_is() -> None:
    pairs = block(0.0, 0.05, 40, begins=True, noise=0.001)
    pairs[7] = CostPair(old=1.0, new=3.0, new_first=pairs[7].new_first)
    assert sorted(second_costs(pairs))[10] == pytest.approx(0.05, abs=0.003)
