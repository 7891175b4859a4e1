"""The cost of coming second in a pair, after a sample of the other version, and log ratios without it. Pure.

In a block whose order turns round with each pair it cancels. But it would move each pair by itself, and a pair that is
far off counts less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aether_schema import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_compare.stats.e_process import CostPair


def second_costs(block: Sequence[CostPair]) -> list[float]:
    """Return half of the difference of each two pairs in a row of opposite order: their version of the cost."""
    return [
        (one.log_ratio - other.log_ratio) / (-2 if one.new_first else 2)
        for one, other in zip(block[::2], block[1::2], strict=False)
        if one.new_first != other.new_first
    ]


def log_ratios_without(block: Sequence[CostPair], costs: Sequence[float]) -> tuple[float, ...]:
    """Return how many times more the new version cost in each pair, as logarithms, without the median of `costs`."""
    cost = quantile(costs, 0.5) if costs else 0.0
    return tuple(pair.log_ratio + (cost if pair.new_first else -cost) for pair in block)
