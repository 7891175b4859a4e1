"""What lives vary by: the noise of their pairs, and the luck of their processes. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_schema import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Pairs of a life beyond its first tell of the noise. So many of them, or so many lives, are looked at before a bet.
LEARNING_REPEATS = 2
LEARNING_LIVES = 3
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


def middle(log_ratios: Sequence[float]) -> float:
    """Return the median of the means of all twos of them, each with itself too: nearly a mean, but for outliers.

    (Hodges and Lehmann 1963, Estimates of location based on rank tests.) It turns round with what it is of.
    """
    return quantile([(a + b) / 2 for index, a in enumerate(log_ratios) for b in log_ratios[index:]], 0.5)


class Varying(Struct, frozen=True, kw_only=True):
    """What lives vary by: `varied` is the variance of their middles, `noise` that of a pair within its life.

    `share` is what one pair made of a life on average.
    """

    noise: float
    share: float
    varied: float

    def variance(self, pairs: int) -> float:
        """Return by what variance the middle of a life of so many pairs is expected to vary."""
        # At one end all of it is luck, which the length does not change, at the other all is noise.
        least, most = sorted((self.varied, self.varied / (pairs * self.share)))
        other = self.varied + self.noise * (1 / pairs - self.share)
        return max(min(max(other, least), most), LEAST_VARIANCE)


class Spread:
    """The spread of the lives so far, and what it tells of the next one."""

    def __init__(self) -> None:
        """Begin without a life."""
        self._middles: list[float] = []
        self._noises: list[float] = []
        self._shares: list[float] = []
        self._repeats = 0

    @property
    def lives(self) -> int:
        """How many there have been."""
        return len(self._middles)

    @property
    def tells(self) -> bool:
        """Whether they tell anything of the next."""
        return self._repeats >= LEARNING_REPEATS or self.lives >= LEARNING_LIVES

    def add(self, log_ratios: Sequence[float]) -> None:
        """Learn from one more life's pairs."""
        centre, count = middle(log_ratios), len(log_ratios)
        self._middles.append(centre)
        self._shares.append(1 / count)
        self._repeats += count - 1
        if count > 1:
            deviation = math.fsum(abs(value - centre) for value in log_ratios) / count
            self._noises.append(MEAN_TO_STANDARD * deviation * math.sqrt(count / (count - 1)))

    def varying(self) -> Varying:
        """Return what the lives so far tell of the next; there is at least one."""
        noise = self._noise() ** 2 if self._noises else 0.0
        share = math.fsum(self._shares) / self.lives
        expected = (1 + EXPECTED_LUCK) * noise * share
        weight, seen = EXPECTED_LIVES if self._noises else 0, self.lives - 1
        varied = (weight * expected + (seen * self._seen() if seen else 0.0)) / (weight + seen)
        return Varying(noise=noise, share=share, varied=varied)

    def _noise(self) -> float:
        """Return the standard deviation of a pair within its life."""
        most = WINSORISED_AT * quantile(self._noises, 0.5)
        return math.fsum(min(noise, most) for noise in self._noises) / len(self._noises)

    def _seen(self) -> float:
        """Return the variance of the lives' middles."""
        centre = quantile(self._middles, 0.5)
        deviations = [abs(value - centre) for value in self._middles]
        most = WINSORISED_AT * MEDIAN_TO_STANDARD * quantile(deviations, 0.5)
        return math.fsum(min(deviation, most) ** 2 for deviation in deviations) / (self.lives - 1)
