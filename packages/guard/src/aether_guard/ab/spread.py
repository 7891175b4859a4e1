"""What lives vary by: the noise of their pairs, and the luck of their processes. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from aether_schema import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Pairs of a life beyond its first tell of the noise. So many of them, or so many lives, are wanted before they tell.
LEARNING_REPEATS = 2
LEARNING_LIVES = 3
#: How far lives are expected to vary until then: rather more than they do, which makes the first bets small.
EXPECTED_SPREAD = 0.04
#: The mean absolute deviation of a normal distribution, times this, is its standard deviation; the median one.
MEAN_TO_STANDARD = 1.2533
MEDIAN_TO_STANDARD = 1.4826
#: A life counts up to so many standard deviations from the middle one, and as many times the middle life's noise.
WINSORISED_AT = 2.5
#: What is expected before lives tell: that luck adds half of what their noise makes them vary by. It counts as so many
#: lives.
EXPECTED_LUCK = 0.5
EXPECTED_LIVES = 3
LEAST_VARIANCE = 1e-18
#: A pair counts up to so many of the pairs' standard deviations from the bound that is bet on, and in any case up to a
#: thousandth, so that figures that do not vary say something.
REACH = 1.5
LEAST_REACH = 0.001
#: The share of pairs nearer than that, if they are normal.
NORMAL_WITHIN = math.erf(REACH / math.sqrt(2))


def middle(log_ratios: Sequence[float]) -> float:
    """Return the median of the means of all twos of them, each with itself too: nearly a mean, but for outliers.

    (Hodges and Lehmann 1963, Estimates of location based on rank tests.) It turns round with what it is of.
    """
    return quantile([(a + b) / 2 for index, a in enumerate(log_ratios) for b in log_ratios[index:]], 0.5)


def bounded_mean(log_ratios: Sequence[float], bound: float, reach: float) -> float:
    """Return the mean of their distances from `bound`, each of them `reach` at the most.

    The further up the bound, the less it is; and what turns round about the bound turns it round.
    """
    return math.fsum(max(-reach, min(reach, log_ratio - bound)) for log_ratio in log_ratios) / len(log_ratios)


class Varying(Struct, frozen=True, kw_only=True):
    """What lives vary by: `varied` is the variance of their scores, `noise` that of a pair within its life.

    `share` is what one pair made of a life on average. A score is a life's mean distance from a bound, in which a pair
    counts up to the distance `reach`, over `within`, the share of pairs that were nearer than that to the middle: so it
    changes by as much as the bound does.
    """

    noise: float
    share: float
    varied: float
    reach: float
    within: float

    def variance(self, pairs: int) -> float:
        """Return by what variance the score of a life of so many pairs is expected to vary."""
        # At one end all of it is luck, which the length does not change, at the other all is noise.
        least, most = sorted((self.varied, self.varied / (pairs * self.share)))
        other = self.varied + self.noise * (1 / pairs - self.share)
        return max(min(max(other, least), most), LEAST_VARIANCE)


#: Known before the first life; taking all of it for luck makes bets on longer ones no larger.
UNTOLD = Varying(noise=0.0, share=1.0, varied=EXPECTED_SPREAD**2, reach=REACH * EXPECTED_SPREAD, within=NORMAL_WITHIN)
#: The same where nothing is staked on it, but a length chosen by it.
EXPECTED = structs.replace(UNTOLD, noise=UNTOLD.varied / (1 + EXPECTED_LUCK))


class Spread:
    """The spread of the lives so far, and what it tells of the next one."""

    def __init__(self) -> None:
        """Begin without a life."""
        self._all: list[Sequence[float]] = []
        self._noises: list[float] = []
        self._shares: list[float] = []
        self._repeats = 0

    @property
    def lives(self) -> int:
        """How many there have been."""
        return len(self._all)

    def add(self, log_ratios: Sequence[float]) -> None:
        """Learn from one more life's pairs."""
        centre, count = middle(log_ratios), len(log_ratios)
        self._all.append(log_ratios)
        self._shares.append(1 / count)
        self._repeats += count - 1
        if count > 1:
            deviation = math.fsum(abs(value - centre) for value in log_ratios) / count
            self._noises.append(MEAN_TO_STANDARD * deviation * math.sqrt(count / (count - 1)))

    def varying(self) -> Varying:
        """Return what the lives so far tell of the next, or what is expected while they are too few."""
        if self._repeats < LEARNING_REPEATS and self.lives < LEARNING_LIVES:
            return UNTOLD
        noise = self._noise() ** 2 if self._noises else 0.0
        share = math.fsum(self._shares) / self.lives
        expected = (1 + EXPECTED_LUCK) * noise * share
        weight, seen = EXPECTED_LIVES if self._noises else 0, self.lives - 1
        pairs = [log_ratio for life in self._all for log_ratio in life]
        centre = quantile(pairs, 0.5)
        reach = max(REACH * max(MEDIAN_TO_STANDARD * deviation(pairs, centre), math.sqrt(noise)), LEAST_REACH)
        within = sum(abs(log_ratio - centre) < reach for log_ratio in pairs) / len(pairs)
        scores = [bounded_mean(life, centre, reach) / within for life in self._all]
        varied = (weight * expected + (seen * winsorised(scores) if seen else 0.0)) / (weight + seen)
        return Varying(noise=noise, share=share, varied=varied, reach=reach, within=within)

    def _noise(self) -> float:
        """Return the standard deviation of a pair within its life."""
        most = WINSORISED_AT * quantile(self._noises, 0.5)
        return math.fsum(min(noise, most) for noise in self._noises) / len(self._noises)


def deviation(values: Sequence[float], centre: float) -> float:
    """Return the median distance from `centre`."""
    return quantile([abs(value - centre) for value in values], 0.5)


def winsorised(scores: Sequence[float]) -> float:
    """Return the variance of several lives' scores, those far off counting as ones at the edge."""
    centre = quantile(scores, 0.5)
    most = WINSORISED_AT * MEDIAN_TO_STANDARD * deviation(scores, centre)
    return math.fsum(min(abs(score - centre), most) ** 2 for score in scores) / (len(scores) - 1)
