"""Bets on pairs: a wealth that grows if a change is beyond a bound, and seldom grows if it is not. Pure.

A pair is what one operation cost in the old code and in the new, one just after the other, in an order drawn
at random. It is made into a score between -1 and 1, positive where the new code looks more than `exp(bound)`
times as expensive as the old. If the true change is at most the bound, the score's expectation is at most 0
whatever came before: the coin that drew the order lets the noise of a pair fall on either side alike. That
holds for noise of any shape, drifting, or depending on its own past. So whoever stakes a share of the wealth
on the score, a share fixed before the pair is seen, owns a supermartingale that is never negative:

    wealth = product over pairs of (1 + stake * score)

The chance that it ever reaches 1/alpha is then at most alpha, however often and whenever one looks (Ville 1939,
Etude critique de la notion de collectif). Staking of bounded scores is by Waudby-Smith and Ramdas (2024,
Estimating means of bounded random variables by betting); several stakes at once are an average of wealths, which
is a wealth again. The bounds that are not refuted make a confidence sequence (Howard, Ramdas, McAuliffe and
Sekhon 2021, Time-uniform, nonparametric, nonasymptotic confidence sequences).

Assumed: the new code costs `exp(change)` times what the old would have cost at that moment, up to noise that
is exchangeable within the pair; for the tail, up to noise that leaves that quantile's ratio at `exp(change)`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

#: No larger share is staked: a lost pair must not cost all.
MOST_STAKE = 0.9
#: No bound is looked for beyond a factor of a thousand.
_FARTHEST = math.log(1000)
_CLOSE_ENOUGH = 1e-6


class Pair(Struct, frozen=True, kw_only=True):
    """What one operation cost in the old code and in the new; above 0, larger is worse."""

    old: float
    new: float

    @property
    def log_ratio(self) -> float:
        """How many times more the new one cost, as a logarithm."""
        return math.log(self.new / self.old)


class Scored(Protocol):
    """A pair in terms of what was known before it: what it says of a bound, and what is staked on that."""

    @property
    def stakes(self) -> tuple[float, ...]:
        """The shares of the wealths staked on this pair."""

    def score(self, bound: float) -> float:
        """Return how much the pair speaks for a change above `bound`, a logarithm: from -1 to 1, falling in it."""


class ShiftScore(Struct, frozen=True):
    """Of the middle: how far the log ratio is off the bound, in units of `reach`, beyond which it counts alike."""

    log_ratio: float
    reach: float
    stakes: tuple[float, ...]

    def score(self, bound: float) -> float:
        """Return the clipped distance from `bound`."""
        return max(-1.0, min(1.0, (self.log_ratio - bound) / self.reach))


class TailScore(Struct, frozen=True):
    """Of a tail: whether the new cost, put right by the bound, is over a threshold, against the old one.

    `log_excess` is how far the new cost is over the threshold, `old_over` whether the old one is.
    """

    log_excess: float
    old_over: bool
    stakes: tuple[float, ...]

    def score(self, bound: float) -> float:
        """Return 1 where only the new one is over the threshold, -1 where only the old one is, else 0."""
        return float((self.log_excess > bound) - self.old_over)


class Wager:
    """Wealths that bet on a change above `bound` (`way` 1) or below it (`way` -1)."""

    def __init__(self, bound: float, way: int, shares: Sequence[float]) -> None:
        """Start with a wealth of 1, in parts as `shares` say."""
        self._bound = bound
        self._way = way
        self._wealths = list(shares)
        self.peak = 1.0

    @property
    def wealth(self) -> float:
        """What the wealths come to now."""
        return sum(self._wealths)

    def add(self, pair: Scored) -> None:
        """Bet on one more pair."""
        score = self._way * pair.score(self._bound)
        # A wealth of more than any 1/alpha has said all; it need not grow past what a float can hold.
        self._wealths = [
            min(wealth * (1 + stake * score), 1e300) for wealth, stake in zip(self._wealths, pair.stakes, strict=True)
        ]
        self.peak = max(self.peak, self.wealth)


def refuted(pairs: Iterable[Scored], bound: float, way: int, shares: Sequence[float], alpha: float) -> bool:
    """Return whether betting that the change is beyond `bound` ever brought the wealth to 1/alpha."""
    wager = Wager(bound, way, shares)
    for pair in pairs:
        wager.add(pair)
        if wager.peak * alpha >= 1:
            return True
    return False


def outermost_refuted(is_refuted: Callable[[float], bool], centre: float, way: int) -> float:
    """Return the bound nearest to `centre` that is refuted, below it for `way` 1 and above it for -1.

    Infinite where none is. That a bound farther off is refuted too is what makes a search by halves right.
    """
    step = 0.01
    while not is_refuted(centre - way * step):
        step *= 2
        if step > _FARTHEST:
            return -way * math.inf
    near, far = 0.0, step
    while far - near > _CLOSE_ENOUGH:
        middle = (near + far) / 2
        near, far = (near, middle) if is_refuted(centre - way * middle) else (middle, far)
    return centre - way * far
