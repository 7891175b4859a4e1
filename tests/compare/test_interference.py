from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING

import pytest

from aether_compare.pair import SamplePair
from aether_compare.result import outcome_of
from aether_compare.stats.e_process import CostPair
from aether_compare.stats.interference import MIN_BLOCKS, interference_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether_compare.scheduler import Comparison

    MakeContested = Callable[..., Comparison]


def blocks_of(count: int, *, old_slows_new: float, new_slows_old: float, noise: float = 0.001) -> list[list[CostPair]]:
    """Return blocks of four pairs in turning order, in which a sample after the other version's costs more."""
    draw = Random(1)
    blocks = []
    for _ in range(count):
        block, new_first = [], draw.random() < 0.5
        for _ in range(4):
            costs = {"old": math.exp(draw.gauss(0, noise)), "new": math.exp(draw.gauss(0, noise))}
            # The first of a pair comes after its own version, the second after the other.
            if new_first:
                costs["old"] *= 1 + new_slows_old
            else:
                costs["new"] *= 1 + old_slows_new
            block.append(CostPair(**costs, new_first=new_first))
            new_first = not new_first
        blocks.append(block)
    return blocks


@pytest.mark.parametrize(
    ("old_slows_new", "new_slows_old", "expected"), [(0.04, 0.0, 0.04), (0.0, 0.04, -0.04), (0.04, 0.04, 0.0)]
)
def test_only_a_difference_between_both_ways_is_interference(
    old_slows_new: float, new_slows_old: float, expected: float
) -> None:
    found = interference_of(blocks_of(20, old_slows_new=old_slows_new, new_slows_old=new_slows_old))
    assert found is not None
    assert found.log_difference == pytest.approx(math.copysign(math.log1p(abs(expected)), expected), abs=0.002)
    assert 0 < found.standard_error < 0.001


def test_too_few_blocks_and_blocks_in_one_order_show_nothing() -> None:
    blocks = blocks_of(20, old_slows_new=0.04, new_slows_old=0.0)
    assert interference_of(blocks[: MIN_BLOCKS - 1]) is None
    assert interference_of([[pair for pair in block if pair.new_first] for block in blocks]) is None


@pytest.mark.parametrize(
    ("old_slows_new", "new_slows_old", "warning"),
    [
        (0.04, 0.0, "; a sample of before slows the next one of after by 4.0 % more than the other way round"),
        (0.0, 0.04, "; a sample of after slows the next one of before by 4.0 % more than the other way round"),
        (0.001, 0.0, ""),
    ],
)
def test_the_reason_warns_of_interference_that_matters(
    comparison: MakeContested, old_slows_new: float, new_slows_old: float, warning: str
) -> None:
    bench = comparison()
    for number, block in enumerate(
        blocks_of(20, old_slows_new=old_slows_new, new_slows_old=new_slows_old, noise=0.00001)
    ):
        bench.add([SamplePair(old=pair.old, new=pair.new, new_first=pair.new_first, block=number) for pair in block])
    reason = outcome_of(bench, 1, strict=False).reason
    assert (warning in reason) if warning else ("slows" not in reason)


def test_the_estimate_lies_in_the_interval_that_the_verdict_rests_on(comparison: MakeContested) -> None:
    bench, draw = comparison(), Random(3)
    # Most pairs show no change, and every block a large one: the median and the blocks' scores disagree.
    for number in range(60):
        ratios = [0.0, 0.0, 0.0, 0.0, 0.05, 0.05]
        bench.add(
            [
                SamplePair(old=1.0, new=math.exp(ratio + draw.gauss(0, 0.0001)), new_first=True, block=number)
                for ratio in ratios
            ]
        )
    outcome = outcome_of(bench, 1, strict=False)
    assert outcome.change is not None
    assert outcome.interval is not None
    assert outcome.interval[0] <= outcome.change <= outcome.interval[1]
    assert bench.trial.change == pytest.approx(0.0, abs=0.001)
