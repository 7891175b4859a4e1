"""How many pairs a life should have: so many that the verdict comes soonest, by what past lives were like. Pure.

Two fresh processes take their time, and all their pairs are one bet together; a longer life has less noise in it, but
no less luck. A life's length is settled before it begins, so that no bet depends on what it says itself.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from aether_guard.ab.score import GROWTH, LEAST_DISTANCE
from aether_guard.ab.spread import Spread, Varying
from aether_schema import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST_LENGTH = 3
#: Long lives have the less noise and the same luck, so that what forks of one process share would weigh the more.
LENGTHS = (1, 2, 3, 4, 5)
#: So many lives are looked at before the length is changed.
LEARNING_LIVES = 4
TAIL_LENGTH = 5


class Lengths(Protocol):
    """Says how many pairs the next life has."""

    def next(self) -> int:
        """Return how many pairs are taken in the next life."""

    def learn(self, log_ratios: Sequence[float], pairs_s: float, begin_s: float) -> None:
        """Learn from a life: its pairs, how long they took, and what was spent before them."""


class Always:
    """The same length for every life."""

    def __init__(self, length: int) -> None:
        """Have lives of so many pairs."""
        self._length = length

    def next(self) -> int:
        """Return that."""
        return self._length

    def learn(self, log_ratios: Sequence[float], pairs_s: float, begin_s: float) -> None:
        """Learn nothing."""


class Soonest:
    """The length with which a bet on the middle wins soonest."""

    def __init__(self, distance: float) -> None:
        """Win by a change that is `distance` off the bound, as a logarithm."""
        self._distance = max(abs(distance), LEAST_DISTANCE)
        self._spread = Spread()
        self._pair_s: list[float] = []
        self._begin_s: list[float] = []
        self._length = FIRST_LENGTH
        self._known_at = 0

    def next(self) -> int:
        """Return the length that is the best by the lives so far, looked up anew as they grow by a quarter."""
        lives = self._spread.lives
        if lives >= LEARNING_LIVES and lives >= self._known_at * GROWTH:
            varying = self._spread.varying()
            self._length, self._known_at = min(LENGTHS, key=lambda length: self._time_to_win(length, varying)), lives
        return self._length

    def learn(self, log_ratios: Sequence[float], pairs_s: float, begin_s: float) -> None:
        """Learn from a life."""
        self._spread.add(log_ratios)
        self._pair_s.append(pairs_s / len(log_ratios))
        self._begin_s.append(begin_s)

    def _time_to_win(self, length: int, varying: Varying) -> float:
        """Return about how long the wealth takes to grow by a factor of e, in seconds."""
        life_s = quantile(self._begin_s, 0.5) + length * quantile(self._pair_s, 0.5)
        return life_s / growth(self._distance**2 / varying.variance(length))


def growth(squared_distance: float) -> float:
    """Return about what a bet adds to the logarithm of the wealth, of a change that is so many standard deviations off.

    The distance is squared. For small ones the growth is half of that, as for Wald's test, and a bet cannot but double
    the wealth. In between this is right within a tenth.
    """
    most = math.log(2)
    return -most * math.expm1(-squared_distance / (2 * most))
