"""The variance of blocks: the noise of their pairs, and the differences between their processes. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_schema import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The number of blocks, or of further pairs in blocks, that an estimate of the variance needs; either suffices.
LEARNING_BLOCKS = 3
LEARNING_REPEATS = 2
#: How far blocks are expected to vary until then: rather more than they do, which makes the first bets small.
EXPECTED_SPREAD = 0.04
#: The mean absolute deviation of a normal distribution, times this, is its standard deviation; the median one.
MEAN_TO_STANDARD = 1.2533
MEDIAN_TO_STANDARD = 1.4826
#: A block counts up to this number of standard deviations from the middle one, and as many times the middle noise.
WINSORIZED_AT = 2.5
#: The expected variance of blocks is this factor times the variance that pair noise explains. It counts as 3 blocks.
PRIOR_FACTOR = 1.5
PRIOR_BLOCKS = 3
MIN_VARIANCE = 1e-18
#: A pair counts up to this number of standard deviations from the bound, so that half of the pairs count as they are;
#: at least up to a thousandth, so that constant figures are informative. On shared machines most pairs agree closely
#: and a few are far off: blocks vary by up to 40 % less than with twice this number.
CLIP = 1 / MEDIAN_TO_STANDARD
MIN_CLIP = 0.001
#: The share of pairs nearer than that, if they are normal.
NORMAL_UNCLIPPED = math.erf(CLIP / math.sqrt(2))


def clipped_mean(log_ratios: Sequence[float], bound: float, clip: float) -> float:
    """Return the mean of their distances from `bound`, each of them `clip` at the most.

    It falls as the bound rises, and log ratios mirrored at the bound give its negative.
    """
    return math.fsum(max(-clip, min(clip, log_ratio - bound)) for log_ratio in log_ratios) / len(log_ratios)


class Variance(Struct, frozen=True, kw_only=True):
    """The expected variance of the next block. `block` is the variance of its score, the mean distance from a bound.

    A pair counts up to the distance `clip`. `unclipped_share` of the pairs were nearer to the middle: if the bound
    moves, a clipped mean moves by that share of the distance.
    """

    block: float
    clip: float
    unclipped_share: float


#: Before the first block.
PRIOR = Variance(block=EXPECTED_SPREAD**2, clip=CLIP * EXPECTED_SPREAD, unclipped_share=NORMAL_UNCLIPPED)


class VarianceEstimator:
    """Estimates the variance of the next block from the blocks so far."""

    def __init__(self) -> None:
        """Begin without a block."""
        self._all: list[Sequence[float]] = []
        self._noises: list[float] = []
        self._repeats = 0

    @property
    def blocks(self) -> int:
        """How many there have been."""
        return len(self._all)

    def add(self, log_ratios: Sequence[float]) -> None:
        """Learn from one more block's pairs."""
        count = len(log_ratios)
        self._all.append(log_ratios)
        self._repeats += count - 1
        if count > 1:
            centre = quantile(log_ratios, 0.5)
            spread = math.fsum(abs(value - centre) for value in log_ratios) / count
            self._noises.append(MEAN_TO_STANDARD * spread * math.sqrt(count / (count - 1)))

    def estimate(self) -> Variance:
        """Return the expected variance of the next block, the prior while blocks are too few."""
        if self._repeats < LEARNING_REPEATS and self.blocks < LEARNING_BLOCKS:
            return PRIOR
        pairs = [log_ratio for block in self._all for log_ratio in block]
        centre = quantile(pairs, 0.5)
        within_block = self._noise() if self._noises else 0.0
        clip = max(median_abs_deviation(pairs, centre), CLIP * within_block, MIN_CLIP)
        unclipped_share = sum(abs(log_ratio - centre) <= clip for log_ratio in pairs) / len(pairs)
        scores = [clipped_mean(block, centre, clip) / unclipped_share for block in self._all]
        expected = PRIOR_FACTOR * within_block**2 * self.blocks / len(pairs)
        weight, seen = PRIOR_BLOCKS if self._noises else 0, self.blocks - 1
        variance = (weight * expected + (seen * winsorized_variance(scores) if seen else 0.0)) / (weight + seen)
        return Variance(block=max(variance, MIN_VARIANCE), clip=clip, unclipped_share=unclipped_share)

    def _noise(self) -> float:
        """Return the standard deviation of a pair within its block."""
        most = WINSORIZED_AT * quantile(self._noises, 0.5)
        return math.fsum(min(noise, most) for noise in self._noises) / len(self._noises)


def median_abs_deviation(values: Sequence[float], centre: float) -> float:
    """Return the median distance from `centre`."""
    return quantile([abs(value - centre) for value in values], 0.5)


def winsorized_variance(scores: Sequence[float]) -> float:
    """Return the variance of the scores of blocks, with distant scores moved to a limit."""
    centre = quantile(scores, 0.5)
    most = WINSORIZED_AT * MEDIAN_TO_STANDARD * median_abs_deviation(scores, centre)
    return math.fsum(min(abs(score - centre), most) ** 2 for score in scores) / (len(scores) - 1)
