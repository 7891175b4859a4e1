"""Lives into scores: what is known before a life says how it is scored and how much is staked on it. Pure."""

from __future__ import annotations

import math
from bisect import insort
from typing import TYPE_CHECKING, Protocol

from aether_guard.ab.bet import ShiftScore, TailScore
from aether_guard.ab.kin import weight_of_life
from aether_guard.ab.order import Orders
from aether_guard.ab.spread import UNTOLD, Spread
from aether_schema import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_guard.ab.bet import Pair, Scored

TAIL_LEARNING_PAIRS = 40
#: What was learned is looked up anew as it grows by a quarter.
GROWTH = 1.25
#: A distance smaller than this, as a logarithm, is not worth being bet for.
LEAST_DISTANCE = 0.005

#: What is bet for, as multiples of the distance from the gate to no change at all, and the shares of the wealth.
MULTIPLES = (0.5, 1.0, 2.0)
SHARES = (1 / 4, 1 / 2, 1 / 4)
TAIL_SHARES = (1 / 4, 1 / 4, 1 / 4, 1 / 4)


class Scorer(Protocol):
    """Turns one life after the other into scores."""

    @property
    def shares(self) -> tuple[float, ...]:
        """The parts of the first wealth, one for each stake."""

    def score(self, life: Sequence[Pair], *, forked: bool = True) -> Scored | None:
        """Return the score of a life's pairs by what was known before them, None while that is too little.

        Then learn from them. `life` is not empty; `forked` says whether its processes have others as their kin.
        """


class ShiftScorer:
    """Scores the middle of the log ratios: of each life their mean distance from a bound, far ones counting less."""

    shares = SHARES

    def __init__(self, distance: float) -> None:
        """Bet for a change that is `distance` off the bound, as a logarithm."""
        self._distance = max(abs(distance), LEAST_DISTANCE)
        self._spread = Spread()
        self._orders = Orders()
        self._known_at = 0
        self._known = UNTOLD

    def score(self, life: Sequence[Pair], *, forked: bool = True) -> ShiftScore:
        """Score by what the lives before varied by."""
        lives = self._spread.lives
        if lives >= self._known_at * GROWTH:
            self._known, self._known_at = self._spread.varying(), lives
            self._orders.look_up(self._known.reach)
        log_ratios = self._orders.log_ratios(life)
        self._orders.add(life)
        self._spread.add(log_ratios)
        known = self._known
        slope = self._distance / (known.variance(len(life)) * known.within)
        slopes = tuple(multiple * slope for multiple in MULTIPLES)
        return ShiftScore(log_ratios, known.reach, slopes, weight_of_life(len(life), forked=forked))


class TailScorer:
    """Scores how often either side is beyond the old code's quantile."""

    shares = TAIL_SHARES

    def __init__(self, probability: float) -> None:
        """Look at the quantile of the costs with this probability."""
        self._probability = probability
        self._sorted: list[float] = []
        self._known_at = 0
        self._threshold = 0.0

    def score(self, life: Sequence[Pair], *, forked: bool = True) -> TailScore | None:
        """Score by the threshold that the lives before tell."""
        seen = len(self._sorted)
        if seen >= TAIL_LEARNING_PAIRS and seen >= self._known_at * GROWTH:
            self._threshold, self._known_at = quantile(self._sorted, self._probability), seen
        for pair in life:
            insort(self._sorted, pair.old)
        if not self._known_at:
            return None
        excesses = tuple(math.log(pair.new / self._threshold) for pair in life)
        old_over = sum(pair.old > self._threshold for pair in life)
        return TailScore(excesses, old_over, weight_of_life(len(life), forked=forked))
