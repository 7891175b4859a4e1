"""How many pairs a life should have: so many that the verdict comes soonest, by what past lives were like. Pure.

Two fresh processes take their time, and all their pairs are one bet together; a longer life has less noise in it, but
no less luck, and fewer long ones are forked by the same processes, whose successors have to be there in time. A life's
length is settled before it begins, so that no bet depends on what it says itself.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from aether_guard.ab.kin import lives_a_nest, weight_of_life
from aether_guard.ab.order import Orders
from aether_guard.ab.score import GROWTH, LEAST_DISTANCE
from aether_guard.ab.spread import EXPECTED, Spread, Varying
from aether_schema import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_guard.ab.bet import Pair

#: So many at least tell noise from luck.
TELLING_LENGTH = 2
#: Where they take hardly longer than one, no more than so many times, no life has fewer.
HARDLY_LONGER = 1.2
LENGTHS = (1, 2, 3, 4, 5, 7, 10, 14, 20)
#: Long lives have the less noise and the same luck, so that what forks of one process share would weigh the more. So
#: they have more pairs than that only if they are expected to vary by this much even so, as a logarithm.
LONG = 5
LEAST_SPREAD_OF_LONG = 0.02
#: The first life takes far longer to begin than others. After so many the length is chosen, by what is expected of
#: lives until there are enough of them to tell what they vary by.
FIRST_LIVES = 2
LEARNING_LIVES = 6
#: Of lengths whose verdicts come about as soon as one another, up to so many times the soonest, it is the shortest:
#: more processes have their say, and fewer pairs are wanted.
ABOUT_AS_SOON = 1.1
TAIL_LENGTH = 5


class Spent(Struct, frozen=True, kw_only=True):
    """What a life took: `begin_s` before its first pair that counts, and `pairs_s` with them.

    Beside it `next_s` goes into having the next life's workers started, and `nest_s` into the processes that fork the
    workers of so many lives, 0 if none do.
    """

    begin_s: float
    pairs_s: float
    next_s: float = 0.0
    nest_s: float = 0.0


class Lengths(Protocol):
    """Says how many pairs the next life has."""

    def next(self) -> int:
        """Return how many pairs are taken in the next life."""

    def learn(self, life: Sequence[Pair], spent: Spent) -> None:
        """Learn from a life: its pairs, and what was spent."""


class Always:
    """The same length for every life."""

    def __init__(self, length: int) -> None:
        """Have lives of so many pairs."""
        self._length = length

    def next(self) -> int:
        """Return that."""
        return self._length

    def learn(self, life: Sequence[Pair], spent: Spent) -> None:
        """Learn nothing."""


class Soonest:
    """The length with which a bet on the middle wins soonest."""

    def __init__(self, distance: float) -> None:
        """Win by a change that is `distance` off the bound, as a logarithm."""
        self._distance = max(abs(distance), LEAST_DISTANCE)
        self._spread = Spread()
        self._orders = Orders()
        self._pair_s: list[float] = []
        self._begin_s: list[float] = []
        self._next_s: list[float] = []
        self._nest_s = 0.0
        self._length = 1
        self._known_at = 0

    def next(self) -> int:
        """Return the length that is the best by the lives so far, looked up anew as they grow by a quarter."""
        lives = self._spread.lives
        if lives >= FIRST_LIVES and lives >= self._known_at * GROWTH:
            varying = self._spread.varying() if lives >= LEARNING_LIVES else EXPECTED
            self._orders.look_up(varying.reach)
            least = TELLING_LENGTH if self._life_s(TELLING_LENGTH) <= HARDLY_LONGER * self._life_s(1) else 1
            lengths = [length for length in LENGTHS if length >= least and _may_be(length, varying)]
            times_s = {length: self._time_to_win(length, varying) for length in lengths}
            soon_s = ABOUT_AS_SOON * min(times_s.values())
            self._length, self._known_at = min(length for length in lengths if times_s[length] <= soon_s), lives
        return max(self._length, TELLING_LENGTH) if _tells(lives) else self._length

    def learn(self, life: Sequence[Pair], spent: Spent) -> None:
        """Learn from a life."""
        self._spread.add(self._orders.log_ratios(life))
        self._orders.add(life)
        self._pair_s.append(spent.pairs_s / len(life))
        self._begin_s.append(spent.begin_s)
        self._next_s.append(spent.next_s)
        self._nest_s = spent.nest_s

    def _time_to_win(self, length: int, varying: Varying) -> float:
        """Return about how long the wealth takes to grow by a factor of e, in seconds."""
        weight = weight_of_life(length, forked=self._nest_s > 0)
        return self._life_s(length) / (weight * growth(self._distance**2 / varying.variance(length)))

    def _life_s(self, length: int) -> float:
        """Return how long a life of so many pairs takes, with the wait for the next one's processes."""
        begin_s, pair_s, next_s = (quantile(each[1:], 0.5) for each in (self._begin_s, self._pair_s, self._next_s))
        life_s = begin_s + length * pair_s
        return max(life_s, next_s + self._nest_s / lives_a_nest(length)) if self._nest_s > 0 else life_s


def _tells(lives: int) -> bool:
    """Return whether the next life is to tell noise from luck: the second, the fourth, the eighth and so on.

    What the first ones told may have been chance.
    """
    return lives > 0 and lives & (lives + 1) == 0


def _may_be(length: int, varying: Varying) -> bool:
    return length <= LONG or varying.variance(length) >= LEAST_SPREAD_OF_LONG**2


def growth(squared_distance: float) -> float:
    """Return about what a bet adds to the logarithm of the wealth, of a change that is so many standard deviations off.

    The distance is squared. For small ones the growth is half of that, as for Wald's test, and a bet cannot but double
    the wealth. In between this is right within a tenth.
    """
    most = math.log(2)
    return -most * math.expm1(-squared_distance / (2 * most))
