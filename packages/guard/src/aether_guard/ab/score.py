"""Lives into scores: what is known before a life says how it is scored and how much is staked on it. Pure."""

from __future__ import annotations

import math
from bisect import insort
from typing import TYPE_CHECKING, Protocol

from aether_guard.ab.bet import MOST_STAKE, ShiftScore, TailScore
from aether_schema import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_guard.ab.bet import Pair, Scored

#: So much is looked at before the first bet, and what it says is looked up anew as it grows by a quarter.
LEARNING_LIVES = 3
TAIL_LEARNING_PAIRS = 40
GROWTH = 1.25
#: The median absolute deviation of a normal distribution, times this, is its standard deviation.
NORMAL_SCALE = 1.4826
#: Deviations beyond so many standard deviations count alike (Huber 1964, Robust estimation of a location parameter).
CLIPPED_AT = 1.345
#: The share that grows the wealth fastest, over the distance to the bound in standard deviations: the score's
#: expectation, 0.821 / 1.345 of that distance, over its mean square, 0.710 / 1.345^2, for a normal distribution.
STAKE_OF_DISTANCE = 1.56
#: A distance smaller than this, as a logarithm, is not worth being staked for.
LEAST_DISTANCE = 0.005
LEAST_SCALE = 1e-9

#: What is staked for, as multiples of the distance from the gate to no change at all, and the shares of the wealth.
MULTIPLES = (0.5, 1.0, 2.0, 4.0)
#: The most of each part that is staked. One part keeps half: what is rarely wrong, but then wholly, ruins the others.
MOST_STAKES = (0.5, MOST_STAKE, MOST_STAKE, MOST_STAKE)
SHARES = (1 / 6, 1 / 2, 1 / 6, 1 / 6)
#: How many lives have more of one side in the tail is not known beforehand: shares of every size are staked.
TAIL_STAKES = (0.1, 0.3, 0.6, MOST_STAKE)
TAIL_SHARES = (1 / 4, 1 / 4, 1 / 4, 1 / 4)


class Scorer(Protocol):
    """Turns one life after the other into scores."""

    @property
    def shares(self) -> tuple[float, ...]:
        """The parts of the first wealth, one for each stake."""

    def score(self, life: Sequence[Pair]) -> Scored | None:
        """Return the score of a life's pairs by what was known before them, None while that is too little.

        Then learn from them. `life` is not empty.
        """


class ShiftScorer:
    """Scores the middle of the log ratios: of each life their median."""

    shares = SHARES

    def __init__(self, distance: float) -> None:
        """Stake for a change that is `distance` off the bound, as a logarithm."""
        self._distance = max(abs(distance), LEAST_DISTANCE)
        self._sorted: list[float] = []
        self._known_at = 0
        self._scale = 0.0

    def score(self, life: Sequence[Pair]) -> ShiftScore | None:
        """Score by the scale of the lives before."""
        seen = len(self._sorted)
        if seen >= LEARNING_LIVES and seen >= self._known_at * GROWTH:
            middle = quantile(self._sorted, 0.5)
            deviation = quantile([abs(value - middle) for value in self._sorted], 0.5)
            self._scale, self._known_at = max(NORMAL_SCALE * deviation, LEAST_SCALE), seen
        log_ratio = quantile([pair.log_ratio for pair in life], 0.5)
        insort(self._sorted, log_ratio)
        if not self._known_at:
            return None
        best = STAKE_OF_DISTANCE * self._distance / self._scale
        stakes = tuple(min(most, multiple * best) for most, multiple in zip(MOST_STAKES, MULTIPLES, strict=True))
        return ShiftScore(log_ratio, CLIPPED_AT * self._scale, stakes)


class TailScorer:
    """Scores how often either side is beyond the old code's quantile."""

    shares = TAIL_SHARES

    def __init__(self, probability: float) -> None:
        """Look at the quantile of the costs with this probability."""
        self._probability = probability
        self._sorted: list[float] = []
        self._known_at = 0
        self._threshold = 0.0

    def score(self, life: Sequence[Pair]) -> TailScore | None:
        """Score by the threshold that the lives before tell."""
        seen = len(self._sorted)
        if seen >= TAIL_LEARNING_PAIRS and seen >= self._known_at * GROWTH:
            self._threshold, self._known_at = quantile(self._sorted, self._probability), seen
        for pair in life:
            insort(self._sorted, pair.old)
        if not self._known_at:
            return None
        excesses = tuple(math.log(pair.new / self._threshold) for pair in life)
        return TailScore(excesses, sum(pair.old > self._threshold for pair in life), TAIL_STAKES)
