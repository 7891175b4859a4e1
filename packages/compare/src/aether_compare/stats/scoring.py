"""Blocks into scores: earlier blocks alone decide how a block is scored and how much is staked on it. Pure."""

from __future__ import annotations

import math
from bisect import insort
from typing import TYPE_CHECKING, Protocol

from aether_compare.stats.e_process import LocationScore, TailScore
from aether_compare.stats.order_effect import log_ratios_without, second_costs
from aether_compare.stats.variance import PRIOR, VarianceEstimator
from aether_schema import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_compare.stats.e_process import BlockScore, CostPair

TAIL_LEARNING_PAIRS = 40
#: Estimates are refitted whenever the number of blocks has grown by a quarter.
REFIT_FACTOR = 1.25
#: A distance smaller than this, as a logarithm, is not worth being bet for.
MIN_EFFECT = 0.005

#: The alternatives to bet on, as multiples of the distance from the gate to no change, and their shares of the wealth.
ALTERNATIVE_MULTIPLES = (0.5, 1.0, 2.0)
MIXTURE_WEIGHTS = (1 / 4, 1 / 2, 1 / 4)
TAIL_SHARES = (1 / 4, 1 / 4, 1 / 4, 1 / 4)


class Scorer(Protocol):
    """Turns one block after the other into scores."""

    @property
    def shares(self) -> tuple[float, ...]:
        """The parts of the first wealth, one for each stake."""

    def score(self, block: Sequence[CostPair]) -> BlockScore | None:
        """Return the score of a block's pairs by the blocks before it, None while these are too few.

        Then learn from them. `block` is not empty.
        """


class LocationScorer:
    """Scores the median of log ratios: per block, their mean distance from a bound, with distant pairs clipped."""

    shares = MIXTURE_WEIGHTS

    def __init__(self, distance: float) -> None:
        """Bet for a change that is `distance` off the bound, as a logarithm."""
        self._distance = max(abs(distance), MIN_EFFECT)
        self._spread = VarianceEstimator()
        self._fitted_at = 0
        self._variance = PRIOR
        self._costs: list[float] = []
        self._known_costs: tuple[float, ...] = ()

    def score(self, block: Sequence[CostPair]) -> LocationScore:
        """Score by the variance of the blocks before."""
        if self._spread.blocks >= self._fitted_at * REFIT_FACTOR:
            self._variance, self._fitted_at = self._spread.estimate(), self._spread.blocks
            self._known_costs = tuple(self._costs)
        log_ratios = log_ratios_without(block, self._known_costs)
        self._costs += second_costs(block)
        self._spread.add(log_ratios)
        known = self._variance
        slope = self._distance / (known.block * known.unclipped_share)
        return LocationScore(log_ratios, known.clip, tuple(multiple * slope for multiple in ALTERNATIVE_MULTIPLES))


class TailScorer:
    """Scores how often either version is beyond the old one's quantile."""

    shares = TAIL_SHARES

    def __init__(self, probability: float) -> None:
        """Look at the quantile of the costs with this probability."""
        self._probability = probability
        self._sorted: list[float] = []
        self._fitted_at = 0
        self._threshold = 0.0

    def score(self, block: Sequence[CostPair]) -> TailScore | None:
        """Score by the threshold learned from the blocks before."""
        seen = len(self._sorted)
        if seen >= TAIL_LEARNING_PAIRS and seen >= self._fitted_at * REFIT_FACTOR:
            self._threshold, self._fitted_at = quantile(self._sorted, self._probability), seen
        for pair in block:
            insort(self._sorted, pair.old)
        if not self._fitted_at:
            return None
        excesses = tuple(math.log(pair.new / self._threshold) for pair in block)
        return TailScore(excesses, sum(pair.old > self._threshold for pair in block))
