"""Bets on blocks of pairs: a wealth that grows if a change is beyond a bound, and seldom grows if it is not. Pure.

A pair is the cost of one operation in the old and the new version, measured one after the other. A block is all pairs
of the same two processes. Its pairs give one gain between -1 and 1, positive if the new version looks more than
`exp(bound)` times as expensive as the old one, and negated if the pairs are exchanged. If the true change is at most
the bound, the expected gain is at most 0, whatever happened before: both processes are fresh, they share a memory
layout that is drawn for each block, and a random draw decides which version begins. This holds for noise of any shape
that may drift and depend on its past. Betting on the gain, by rules that are fixed before the first pair of the block,
gives a nonnegative supermartingale:

    wealth = product over blocks of (1 + gain)

It reaches 1/alpha with a probability of at most alpha, at any time (Ville 1939, Etude critique de la notion de
collectif). The bets follow Waudby-Smith and Ramdas (2024, Estimating means of bounded random variables by betting); the
average of several bets is a supermartingale again. For the median, the gain is a hyperbolic tangent: if a figure x is
as likely as -x without a change, and normal with standard deviation s and mean d with one, no bet grows faster than 1 +
tanh(d x / s^2), the likelihood of x over the mean of the likelihoods of x and -x. The gain is bounded below 1, and a
pair that is far off the bound counts as if it were at a limit (Huber 1964, Robust estimation of a location parameter),
because neither blocks nor pairs are normal. The bounds that are not rejected form a confidence sequence (Howard,
Ramdas, McAuliffe and Sekhon 2021, Time-uniform, nonparametric, nonasymptotic confidence sequences).

Assumption: the new version costs `exp(change)` times the cost of the old version at the same moment in the same layout,
    up to noise that is exchangeable between the two, given all earlier blocks. Properties of two processes, such as
    their memory pages, are in all of their pairs: if each pair were a bet of its own, the first pairs would predict the
    others, and the bound would not hold. Neither does it hold if a sample of one version slows the next sample of the
    other version more than vice versa.

If the versions differ by more than a factor, the judged change is the point at which the clipped scores balance, near
the median. For a tail, it is the factor by which the new costs have to be divided until as many new as old costs exceed
a threshold near the old quantile. This equals the ratio of the quantiles only if both versions have the same shape
there.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from aether_compare.stats.variance import clipped_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

#: The maximum share of each bet's wealth that is staked; a loss must not cost everything. The first bet keeps half,
#: because a bet that is rarely but completely wrong would ruin the others.
MAX_STAKES = (0.5, 0.8, 0.9)
#: The number of blocks with more of one version in the tail is unknown in advance: shares of every size are staked.
TAIL_STAKES = (0.1, 0.3, 0.6, 0.9)
#: No bound is looked for beyond a factor of a thousand.
_MAX_LOG_RATIO = math.log(1000)
_FIRST_STEP = 0.01
_CLOSE_ENOUGH = 1e-6


class CostPair(Struct, frozen=True, kw_only=True):
    """The costs of one operation in the old and the new version, above 0, and which came first; larger is worse."""

    old: float
    new: float
    new_first: bool = False

    @property
    def log_ratio(self) -> float:
        """How many times more the new one cost, as a logarithm."""
        return math.log(self.new / self.old)


class BlockScore(Protocol):
    """The pairs of a block as a score, by values that were known before the block."""

    def payoffs(self, bound: float) -> tuple[float, ...]:
        """Return the gains of bets on a change above `bound`, a logarithm: from -1 to 1, decreasing in `bound`."""


class LocationScore(Struct, frozen=True):
    """The score of a block for the median: its log ratios, the limit of their distance, and the slope of each bet."""

    log_ratios: tuple[float, ...]
    clip: float
    slopes: tuple[float, ...]

    def payoffs(self, bound: float) -> tuple[float, ...]:
        """Return shares that grow with the distance from `bound`, and come to an end."""
        distance = clipped_mean(self.log_ratios, bound, self.clip)
        return tuple(
            most * math.tanh(slope / most * distance) for most, slope in zip(MAX_STAKES, self.slopes, strict=True)
        )


class TailScore(Struct, frozen=True):
    """The score for a tail: whether new costs, divided by the bound, exceed a threshold more often than old costs.

    `log_excesses` are the log distances of the new costs above the threshold; `old_over` counts the old costs above it.
    """

    log_excesses: tuple[float, ...]
    old_over: int

    def payoffs(self, bound: float) -> tuple[float, ...]:
        """Return the gains: positive if more new costs exceed the threshold, negative if more old costs do."""
        new_over = sum(excess > bound for excess in self.log_excesses)
        sign = (new_over > self.old_over) - (new_over < self.old_over)
        return tuple(stake * sign for stake in TAIL_STAKES)


class EProcess:
    """Wealths that bet on a change above `bound` (`direction` 1) or below it (`direction` -1)."""

    def __init__(self, bound: float, direction: int, shares: Sequence[float]) -> None:
        """Start with a wealth of 1, divided into `shares`."""
        self._bound = bound
        self._way = direction
        self._wealths = list(shares)
        self.max_wealth = 1.0

    @property
    def wealth(self) -> float:
        """The present total wealth."""
        return sum(self._wealths)

    def add(self, block: BlockScore) -> None:
        """Bet on one more block."""
        # A wealth above any 1/alpha decides; it need not exceed the range of a float.
        self._wealths = [
            min(wealth * (1 + self._way * gain), 1e300)
            for wealth, gain in zip(self._wealths, block.payoffs(self._bound), strict=True)
        ]
        self.max_wealth = max(self.max_wealth, self.wealth)


def is_rejected(
    blocks: Iterable[BlockScore], bound: float, direction: int, shares: Sequence[float], alpha: float
) -> bool:
    """Return whether betting that the change is beyond `bound` ever brought the wealth to 1/alpha."""
    wager = EProcess(bound, direction, shares)
    for block in blocks:
        wager.add(block)
        if wager.max_wealth * alpha >= 1:
            return True
    return False


def confidence_bound(is_refuted: Callable[[float], bool], start: float, direction: int) -> float:
    """Return the last bound that is refuted: going up for `direction` 1, going down for -1.

    Return an infinite bound if none or all bounds within a factor of a thousand of `start` are rejected. The rejected
    bounds lie all on one side, so that bisection is right. The edge is on the side of `start` that the answer for
    `start` gives.
    """
    at_start = is_refuted(start)
    direction = direction if at_start else -direction
    alike, other = 0.0, _FIRST_STEP
    while is_refuted(start + direction * other) == at_start:
        if other >= _MAX_LOG_RATIO:
            return direction * math.inf
        alike, other = other, min(2 * other, _MAX_LOG_RATIO)
    while other - alike > _CLOSE_ENOUGH:
        middle = (alike + other) / 2
        if is_refuted(start + direction * middle) == at_start:
            alike = middle
        else:
            other = middle
    return start + direction * (alike if at_start else other)
