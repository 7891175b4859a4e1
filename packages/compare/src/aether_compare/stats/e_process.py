"""Bets on blocks of pairs: a wealth that grows if a change is beyond a bound, and seldom grows if it is not. Pure.

A pair is what one operation cost in the old version and in the new one, right after one another. A block is all pairs
of the same two processes. Its pairs are made into one gain between -1 and 1, positive where the new version looks more
than `exp(bound)` times as expensive as the old, and turned round where its pairs are. If the true change is at most the
bound, the gain's expectation is at most 0 whatever came before: both processes are fresh and in the same memory layout,
which is another one in every block, and a coin draws which version comes first. That holds for noise of any shape,
drifting, or depending on its own past. So whoever bets on the gain, by rules fixed before the block's first pair, owns
a supermartingale that is never negative:

    wealth = product over blocks of (1 + gain)

The chance that it ever reaches 1/alpha is then at most alpha, however often and whenever one looks (Ville 1939, Etude
critique de la notion de collectif). Betting is by Waudby-Smith and Ramdas (2024, Estimating means of bounded random
variables by betting); several bets at once are an average of wealths, which is a wealth again. Of the middle the gain
is a hyperbolic tangent: where a figure x is as likely as -x if there is no change, and normal with a standard
deviation s and a mean d if there is one, no bet grows faster than 1 + tanh(d x / s^2), which is the likelihood of x
over the mean of its own and that of -x. It is held below 1, and a pair that is far off the bound counts as one at
some distance (Huber 1964, Robust estimation of a location parameter), since neither blocks nor pairs are normal. The
bounds that are not refuted make a confidence sequence (Howard, Ramdas, McAuliffe and Sekhon 2021, Time-uniform,
nonparametric, nonasymptotic confidence sequences).

Assumed: the new version costs `exp(change)` times what the old one would have cost at that moment in that layout, up to
noise that is exchangeable between the two, given all blocks before. What is particular to two processes, such as the
pages that they got, is in all of their pairs: if each pair were a bet of its own, the first would tell how the others
fall, and the chance above would not hold. Nor does it where a sample of one version slows the other's next one more
than the other way round.

Where the versions differ by more than a factor, what is judged is the centre at which the clipped scores balance,
which is near the median but not the median; and of a tail, by what factor the new costs have to be divided until
as many of them as of the old ones are over a threshold near the old version's quantile. That is the ratio of the
quantiles only if both versions' costs have the same shape there.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from aether_compare.stats.variance import clipped_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

#: The most of each bet's wealth that is staked: a lost one must not cost all. The first keeps half: what is rarely
#: wrong, but then wholly, ruins the others.
MAX_STAKES = (0.5, 0.8, 0.9)
#: How many lives have more of one side in the tail is not known beforehand: shares of every size are staked.
TAIL_STAKES = (0.1, 0.3, 0.6, 0.9)
#: No bound is looked for beyond a factor of a thousand.
_MAX_LOG_RATIO = math.log(1000)
_FIRST_STEP = 0.01
_CLOSE_ENOUGH = 1e-6


class CostPair(Struct, frozen=True, kw_only=True):
    """What one operation cost in the old code and in the new, and which came first; above 0, larger is worse."""

    old: float
    new: float
    new_first: bool = False

    @property
    def log_ratio(self) -> float:
        """How many times more the new one cost, as a logarithm."""
        return math.log(self.new / self.old)


class BlockScore(Protocol):
    """A block's pairs in terms of what was known before."""

    def payoffs(self, bound: float) -> tuple[float, ...]:
        """Return what bets on a change above `bound`, a logarithm, win or lose by it: from -1 to 1, falling in it."""


class LocationScore(Struct, frozen=True):
    """Of the middle: a block's log ratios, how far off a bound one counts, and by how much each bet grows with them."""

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
    """Of a tail: whether new costs, put right by the bound, are over a threshold more often than old ones.

    `log_excesses` are how far the new costs are over the threshold, `old_over` how many of the old ones are.
    """

    log_excesses: tuple[float, ...]
    old_over: int

    def payoffs(self, bound: float) -> tuple[float, ...]:
        """Return the stakes: won where more of the new ones are over the threshold, lost where more of the old are."""
        new_over = sum(excess > bound for excess in self.log_excesses)
        sign = (new_over > self.old_over) - (new_over < self.old_over)
        return tuple(stake * sign for stake in TAIL_STAKES)


class EProcess:
    """Wealths that bet on a change above `bound` (`direction` 1) or below it (`direction` -1)."""

    def __init__(self, bound: float, direction: int, shares: Sequence[float]) -> None:
        """Start with a wealth of 1, in parts as `shares` say."""
        self._bound = bound
        self._way = direction
        self._wealths = list(shares)
        self.max_wealth = 1.0

    @property
    def wealth(self) -> float:
        """What the wealths come to now."""
        return sum(self._wealths)

    def add(self, block: BlockScore) -> None:
        """Bet on one more block."""
        # A wealth of more than any 1/alpha has said all; it need not grow past what a float can hold.
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

    Infinite where within a factor of a thousand of `start` none is, or all are. That what is refuted lies all on
    one side is what makes a search by halves right. The edge lies on the side of `start` that `start` itself says.
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
