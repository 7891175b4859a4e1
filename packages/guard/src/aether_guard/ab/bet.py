"""Bets on pairs: a wealth that grows if a change is beyond a bound, and seldom grows if it is not. Pure.

A pair is what one operation cost in the old code and in the new, one just after the other, in an order drawn at
random for all pairs of the same two processes. What two processes, one a version, say in their life is made into
one gain between -1 and 1, positive where the new code looks more than `exp(bound)` times as expensive as the old,
and turned round where their pairs are. If the true change is at most the bound, the gain's expectation is at most 0
whatever came before: the coin that drew the order lets the noise of their pairs fall on either side alike, and that
the processes are fresh lets their luck do so. That holds for noise of any shape, drifting, or depending on its own
past. So whoever bets on the gain, by rules fixed before the processes' first pair, owns a supermartingale that is
never negative:

    wealth = product over lives of (1 + gain) ^ weight

The chance that it ever reaches 1/alpha is then at most alpha, however often and whenever one looks (Ville 1939, Etude
critique de la notion de collectif). Betting is by Waudby-Smith and Ramdas (2024, Estimating means of bounded random
variables by betting); several bets at once are an average of wealths, which is a wealth again. Of the middle the gain
is a hyperbolic tangent: where a figure x is as likely as -x if there is no change, and normal with a standard
deviation s and a mean d if there is one, no bet grows faster than 1 + tanh(d x / s^2), which is the likelihood of x
over the mean of its own and that of -x. It is held below 1, and a pair that is far off the bound counts as one at
some distance (Huber 1964, Robust estimation of a location parameter), since neither lives nor pairs are normal. What
going second in a pair costs over going first, as past lives tell it, is taken off before: it turns round where the pair
does. The bounds that are not refuted make a confidence sequence (Howard, Ramdas, McAuliffe and Sekhon 2021,
Time-uniform, nonparametric, nonasymptotic confidence sequences).

Assumed: the new code costs `exp(change)` times what the old would have cost at that moment in that process, up to
noise that is exchangeable between the two sides given all lives before. A process's luck, such as where its memory
lies, is in all of its pairs: if each of them were a bet of its own, the first would tell how the others fall, and
the chance above would not hold. Nor does it where one version's sample slows the other's down more than the other
way round, or where pairs are left out for what they say. It holds less well the more lives have in common: forks of
one process share its layout of addresses and its hash seed, for which the weight of their lives makes up (kin.py).

Where the versions differ by more than a factor, what is judged is the centre at which the clipped scores balance,
which is near the median but not the median; and of a tail, by what factor the new costs have to be divided until
as many of them as of the old ones are over the threshold, which is the ratio of the quantiles as far as the
threshold, learned of past costs, is the quantile.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from aether_guard.ab.spread import bounded_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

#: The most of each bet's wealth that is staked: a lost one must not cost all. The first keeps half: what is rarely
#: wrong, but then wholly, ruins the others.
MOST_STAKES = (0.5, 0.8, 0.9)
#: How many lives have more of one side in the tail is not known beforehand: shares of every size are staked.
TAIL_STAKES = (0.1, 0.3, 0.6, 0.9)
#: No bound is looked for beyond a factor of a thousand.
_FARTHEST = math.log(1000)
_FIRST_STEP = 0.01
_CLOSE_ENOUGH = 1e-6


class Pair(Struct, frozen=True, kw_only=True):
    """What one operation cost in the old code and in the new, and which came first; above 0, larger is worse."""

    old: float
    new: float
    new_first: bool = False

    @property
    def log_ratio(self) -> float:
        """How many times more the new one cost, as a logarithm."""
        return math.log(self.new / self.old)


class Scored(Protocol):
    """A life's pairs in terms of what was known before."""

    @property
    def weight(self) -> float:
        """The power to which what comes of bets on it is raised: above 0, and 1 for a life without kin."""

    def gains(self, bound: float) -> tuple[float, ...]:
        """Return what bets on a change above `bound`, a logarithm, win or lose by it: from -1 to 1, falling in it."""


class ShiftScore(Struct, frozen=True):
    """Of the middle: a life's log ratios, how far off a bound one counts, and by how much each bet grows with them."""

    log_ratios: tuple[float, ...]
    reach: float
    slopes: tuple[float, ...]
    weight: float = 1.0

    def gains(self, bound: float) -> tuple[float, ...]:
        """Return shares that grow with the distance from `bound`, and come to an end."""
        distance = bounded_mean(self.log_ratios, bound, self.reach)
        return tuple(
            most * math.tanh(slope / most * distance) for most, slope in zip(MOST_STAKES, self.slopes, strict=True)
        )


class TailScore(Struct, frozen=True):
    """Of a tail: whether new costs, put right by the bound, are over a threshold more often than old ones.

    `log_excesses` are how far the new costs are over the threshold, `old_over` how many of the old ones are.
    """

    log_excesses: tuple[float, ...]
    old_over: int
    weight: float = 1.0

    def gains(self, bound: float) -> tuple[float, ...]:
        """Return the stakes: won where more of the new ones are over the threshold, lost where more of the old are."""
        new_over = sum(excess > bound for excess in self.log_excesses)
        sign = (new_over > self.old_over) - (new_over < self.old_over)
        return tuple(stake * sign for stake in TAIL_STAKES)


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

    def add(self, life: Scored) -> None:
        """Bet on one more life."""
        # A wealth of more than any 1/alpha has said all; it need not grow past what a float can hold.
        self._wealths = [
            min(wealth * (1 + self._way * gain) ** life.weight, 1e300)
            for wealth, gain in zip(self._wealths, life.gains(self._bound), strict=True)
        ]
        self.peak = max(self.peak, self.wealth)


def refuted(lives: Iterable[Scored], bound: float, way: int, shares: Sequence[float], alpha: float) -> bool:
    """Return whether betting that the change is beyond `bound` ever brought the wealth to 1/alpha."""
    wager = Wager(bound, way, shares)
    for life in lives:
        wager.add(life)
        if wager.peak * alpha >= 1:
            return True
    return False


def edge_of_refuted(is_refuted: Callable[[float], bool], start: float, way: int) -> float:
    """Return the last bound that is refuted: going up for `way` 1, going down for -1.

    Infinite where within a factor of a thousand of `start` none is, or all are. That what is refuted lies all on
    one side is what makes a search by halves right. The edge lies on the side of `start` that `start` itself says.
    """
    at_start = is_refuted(start)
    direction = way if at_start else -way
    alike, other = 0.0, _FIRST_STEP
    while is_refuted(start + direction * other) == at_start:
        if other >= _FARTHEST:
            return direction * math.inf
        alike, other = other, min(2 * other, _FARTHEST)
    while other - alike > _CLOSE_ENOUGH:
        middle = (alike + other) / 2
        if is_refuted(start + direction * middle) == at_start:
            alike = middle
        else:
            other = middle
    return start + direction * (alike if at_start else other)
