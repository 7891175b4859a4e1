"""What workers that the same process has forked have in common, on this machine: `hatch run guard:shared`.

Compares packaging or streaming with itself, in lives of one pair, and looks whether lives of the same two processes are
more like one another than like those of the next two. What they have in common is not new luck in every life, and the
weight of a life in the test of `aether-guard ab` makes up for no more than so much of it:

    hatch run guard:shared --for 600
    hatch run guard:shared stream --for 1200
"""

from __future__ import annotations

import argparse
import math
from contextlib import suppress
from itertools import pairwise
from random import Random
from statistics import fmean
from time import monotonic
from typing import TYPE_CHECKING

from ab_trials import match_of
from msgspec import Struct

from aether_guard.ab.couple import Couples
from aether_guard.ab.duel import WARM_UPS, WARM_UPS_WITH_COMPANION
from aether_guard.ab.measure import on_their_cpu, plan_terms
from aether_guard.ab.spread import MEDIAN_TO_STANDARD, WINSORISED_AT, deviation
from aether_harness.interrupt import ended_on_request
from aether_harness.nursery import CAN_FORK
from aether_harness.protocol import Sample, Taken
from aether_schema import quantile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aether_guard.ab.nest import Nest

RESAMPLED = 2000
#: Fewer say nothing that could be told from chance.
LEAST_NESTS = 20
LIMIT_S = 60.0


class Lived(Struct, frozen=True):
    """A life of one pair: the number of the processes that forked it, its log ratio, and which side was first."""

    nest: int
    log_ratio: float
    new_first: bool


class Products(Struct, frozen=True):
    """Of the lives of one nest: the sum of the products of all twos of them, and how many those are."""

    total: float
    count: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench", nargs="?", choices=("pack", "stream"), default="pack", help="default: pack")
    parser.add_argument("--for", type=float, default=300.0, dest="seconds", help="how long to measure (default: 300 s)")
    parser.add_argument("--seed", type=int, default=1, help="of the orders, and of what is drawn again (default: 1)")
    options = parser.parse_args()
    if not CAN_FORK:
        parser.error("on this system no worker is forked")
    lives = []
    with ended_on_request(), suppress(KeyboardInterrupt):
        for life in lived(options.bench, options.seconds, options.seed):
            lives.append(life)  # noqa: PERF402 - one by one, so that what there is is told of when it is broken off
    if len({life.nest for life in lives}) < LEAST_NESTS:
        parser.error(f"{len(lives)} lives are too few to tell: measure for longer")
    print(told(lives, options.seed))


def lived(bench: str, seconds: float, seed: int) -> Iterator[Lived]:
    """Yield one life after the other for so long."""
    match, terms = match_of(bench, 0.0), plan_terms((), LIMIT_S)
    # As in `aether-guard ab`, the first pairs do not count.
    uncounted = WARM_UPS_WITH_COMPANION if bench == "stream" else WARM_UPS
    numbers: dict[Nest, int] = {}
    ends = monotonic() + seconds
    with Couples(match.bench_id, match.sides, terms, Random(seed)) as couples, on_their_cpu(terms):  # noqa: S311
        while monotonic() < ends:
            couple = couples.take(1)
            assert couple.nest is not None
            couples.begin(couple, 1)
            for _ in range(uncounted + 1):
                taken = {index: couple.workers[index].ask(Sample(), Taken, LIMIT_S).value for index in couple.order}
            couples.put_away(couple)
            nest = numbers.setdefault(couple.nest, len(numbers))
            yield Lived(nest, math.log(taken[1] / taken[0]), couple.order[0] == 1)


def told(lives: Sequence[Lived], seed: int) -> str:
    """Return what lives have in common with those of the same processes, and with those of the next ones."""
    deviations = deviations_of(lives)
    nests: dict[int, list[float]] = {}
    for life, value in zip(lives, deviations, strict=True):
        nests.setdefault(life.nest, []).append(value)
    groups = [*nests.values()]
    same = [within(group) for group in groups]
    other = [between(group, following) for group, following in pairwise(groups)]
    spread = math.sqrt(fmean(value * value for value in deviations))
    draw = Random(seed)  # noqa: S311
    lines = [f"{len(lives)} lives of one pair of {len(groups)} twos of processes; a life varies by {spread:.2%}"]
    for name, products in (("lives of the same", same), ("lives of the next", other)):
        variance = covariance(products)
        resampled = [covariance(draw.choices(products, k=len(products))) for _ in range(RESAMPLED)]
        bounds = (quantile(resampled, 0.05), quantile(resampled, 0.95))
        lines.append(
            f"in common with {name}: {variance / spread**2:.1%} of the variance, {a_side(variance):.2%} a side "
            f"(9 of 10 resampled from {a_side(bounds[0]):.2%} to {a_side(bounds[1]):.2%}, seed {seed})"
        )
    return "\n".join(lines)


def deviations_of(lives: Sequence[Lived]) -> list[float]:
    """Return how far off the middle of its order each life is; what is far off counts as at an edge."""
    middles = {
        first: quantile([life.log_ratio for life in lives if life.new_first == first], 0.5) for first in (True, False)
    }
    values = [life.log_ratio - middles[life.new_first] for life in lives]
    edge = WINSORISED_AT * MEDIAN_TO_STANDARD * deviation(values, 0.0)
    bounded = [max(-edge, min(edge, value)) for value in values]
    mean = fmean(bounded)
    return [value - mean for value in bounded]


def within(group: Sequence[float]) -> Products:
    """Return the products of all twos of one nest."""
    total, squares, count = math.fsum(group), math.fsum(value * value for value in group), len(group)
    return Products((total * total - squares) / 2, count * (count - 1) // 2)


def between(group: Sequence[float], following: Sequence[float]) -> Products:
    """Return the products of one of either nest."""
    return Products(math.fsum(group) * math.fsum(following), len(group) * len(following))


def covariance(products: Sequence[Products]) -> float:
    """Return their mean."""
    return math.fsum(each.total for each in products) / max(1, sum(each.count for each in products))


def a_side(variance: float) -> float:
    """Return the standard deviation a side of what has this variance in a log ratio, below 0 where that is."""
    return math.copysign(math.sqrt(abs(variance) / 2), variance)


if __name__ == "__main__":
    main()
