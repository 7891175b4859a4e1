"""Changes in the level of a series: their place, size and confidence. Pure.

Sources: intervals of every length that overlap by half (Kovács, Bühlmann, Li and Munk 2023, Seeded binary
segmentation), of which the narrowest that show a change win (Baranowski, Chen and Fryzlewicz 2019,
Narrowest-over-threshold detection). Candidates then stand a test against both of their neighbours.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from aether_guard.stats.t_distribution import t_sf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

#: The minimum number of points of a level: two may be one bad minute of a machine.
MIN_SEGMENT = 3
#: The factor by which a candidate exceeds the maximum of pure noise.
CANDIDATE_AT = 1.15
#: Points further from their level than this number of standard deviations are moved to that distance.
CLIPPED_AT = 3.0
#: The median absolute deviation of a normal distribution, times this, is its standard deviation.
NORMAL_SCALE = 1.4826
#: A series that remembers more than this is a walk; nothing in it is a step.
MAX_MEMORY = 0.9
#: The 95 % point of the likelihood ratio of a place (Hansen 2000, Sample splitting and threshold estimation, table I).
LOCATION_LR_95 = 7.35
#: Neighbours on each side among which a point is judged to be a spike.
_NEIGHBOURS = 3
#: Places and verdicts agree after two or three rounds.
_ROUNDS = 8
_GROWTH = math.sqrt(2)
_MIN_NOISE = 1e-9


class ChangePoint(Struct, frozen=True, kw_only=True):
    """A change of level: the first point at the new one has the place `index`.

    With 95 % confidence that point lies from `first` to `last`, both included. `before` and `after` are the levels,
    in the unit of the series; `confidence` is the chance that noise alone shows no such change at any place nearby.
    """

    index: int
    first: int
    last: int
    before: float
    after: float
    confidence: float

    @property
    def size(self) -> float:
        """The change as a fraction of the level before; infinite from a level of 0."""
        return self.after / self.before - 1 if self.before else math.inf


def find_changes(values: Sequence[float] | Array, confidence: float = 0.99) -> list[ChangePoint]:
    """Return the changes of level in `values`, oldest first, each at least as sure as `confidence`.

    `values` are finite and not negative, in the order in which the code changed. Noise is taken to grow with the
    level, so logarithms are compared, unless there is a 0.
    """
    series = np.asarray(values, dtype=np.float64)
    if len(series) < 2 * MIN_SEGMENT or float(series.min()) == float(series.max()):
        return []
    scaled = np.log(series) if float(series.min()) > 0 else series / float(series.max())
    noise, autocorrelation = _noise(scaled)
    # The mean of an autocorrelated series varies more than its points suggest.
    inflation = math.sqrt((1 + autocorrelation) / (1 - autocorrelation))
    smooth = _hampel_filter(scaled, noise)
    places = _candidates(smooth / (noise * inflation))
    judged: dict[int, float] = {}
    clipped = smooth
    for _ in range(_ROUNDS):
        # Without the chance changes, the others may move, and other points be spikes.
        places = _refine_locations(smooth, places)
        clipped = _clipped(scaled, places, noise)
        judged = _prune(clipped, places, autocorrelation, confidence)
        if list(judged) == places:
            break
        places = list(judged)
    edges = [0, *sorted(judged), len(series)]
    return [
        _change(series, clipped, (low, place, high), judged[place], inflation)
        for low, place, high in zip(edges, edges[1:], edges[2:], strict=False)
    ]


def _noise(series: Array) -> tuple[float, float]:
    """Return the standard deviation around the levels, and the autocorrelation of successive points, 0 to 1.

    Both come from differences of neighbors, few of which contain a change of level. Differences of white noise have a
    correlation of -1/2, those of a first-order autoregression with the coefficient m one of -(1 - m) / 2.
    """
    steps = np.diff(series)
    deviation = NORMAL_SCALE * float(np.median(np.abs(steps - np.median(steps))))
    if deviation <= _MIN_NOISE:
        # Most neighbours are alike: the figures are coarse, or do not vary at all.
        deviation = max(float(np.std(steps)), _MIN_NOISE)
    kept = np.clip(steps, -CLIPPED_AT * deviation, CLIPPED_AT * deviation)
    power = float(np.mean(kept * kept))
    correlation = float(np.mean(kept[1:] * kept[:-1])) / power if power > 0 else -0.5
    # By chance alone it varies by about 1/sqrt(n); only the excess counts.
    autocorrelation = min(max(1 + 2 * correlation - 2 / math.sqrt(len(steps)), 0.0), MAX_MEMORY)
    return max(deviation / math.sqrt(2 * (1 - autocorrelation)), _MIN_NOISE), autocorrelation


def _hampel_filter(series: Array, noise: float) -> Array:
    """Return the series with points far from the median of their neighbours pulled to it (Hampel 1974)."""
    padded = np.pad(series, _NEIGHBOURS, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _NEIGHBOURS + 1)
    middle = np.median(windows, axis=1)
    return np.clip(series, middle - CLIPPED_AT * noise, middle + CLIPPED_AT * noise)


def _candidates(series: Array) -> list[int]:
    """Return places of changes in a series whose noise has the standard deviation 1."""
    count = len(series)
    threshold = CANDIDATE_AT * math.sqrt(2 * math.log(count))
    sums = np.concatenate(([0.0], np.cumsum(series - np.median(series))))
    chosen: list[int] = []
    length = 2.0 * MIN_SEGMENT
    while True:
        whole = min(round(length), count)
        starts, places, heights = _layer(sums, count, whole)
        # Sort by the size of the difference, so that the clearer of two intervals of the same length decides.
        for at in np.argsort(-heights):
            if heights[at] < threshold:
                break
            start, place = int(starts[at]), int(places[at])
            nearby = bisect_left(chosen, start + 1)
            if nearby == len(chosen) or chosen[nearby] >= start + whole:
                insort(chosen, place)
        if whole == count:
            return chosen
        length *= _GROWTH


def _layer(sums: Array, count: int, length: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    """Return the starts of the intervals of a length, where each differs most from side to side, and by how much."""
    step = max(length // 2, 1)
    starts = np.append(np.arange(0, count - length, step), count - length)
    lefts = np.arange(MIN_SEGMENT, length - MIN_SEGMENT + 1)
    rights = length - lefts
    inner = sums[starts[:, None] + lefts]
    left = (inner - sums[starts][:, None]) / lefts
    right = (sums[starts + length][:, None] - inner) / rights
    heights = np.abs(left - right) * np.sqrt(lefts * rights / length)
    best = np.argmax(heights, axis=1)
    return starts, starts + lefts[best], heights[np.arange(len(starts)), best]


def _refine_locations(series: Array, places: Sequence[int]) -> list[int]:
    """Return every place moved to where, between its neighbours, two levels fit best."""
    moved = list(places)
    for at in range(len(moved)):
        low = moved[at - 1] if at else 0
        high = moved[at + 1] if at + 1 < len(moved) else len(series)
        if high - low >= 2 * MIN_SEGMENT:
            _, gains = _gains(series[low:high])
            moved[at] = low + MIN_SEGMENT + int(np.argmax(gains))
    return sorted(set(moved))


def _gains(series: Array) -> tuple[NDArray[np.intp], Array]:
    """Return for every split that leaves two levels by how much it lowers the sum of squares."""
    count = len(series)
    lefts = np.arange(MIN_SEGMENT, count - MIN_SEGMENT + 1)
    sums = np.cumsum(series - series.mean())[lefts - 1]
    return lefts, sums * sums * count / (lefts * (count - lefts))


def _clipped(series: Array, places: Sequence[int], noise: float) -> Array:
    """Return the series with points far from the median of their level pulled to it."""
    edges = [0, *places, len(series)]
    levels = np.concatenate([np.full(high - low, np.median(series[low:high])) for low, high in pairwise(edges)])
    return np.clip(series, levels - CLIPPED_AT * noise, levels + CLIPPED_AT * noise)


def _prune(series: Array, places: Sequence[int], autocorrelation: float, confidence: float) -> dict[int, float]:
    """Return the places that stand the test, and how sure each is; the least sure goes first."""
    kept = list(places)
    sureness = [_confidence(series, kept, at, autocorrelation) for at in range(len(kept))]
    while kept:
        weakest = min(range(len(kept)), key=sureness.__getitem__)
        if sureness[weakest] >= confidence:
            break
        del kept[weakest], sureness[weakest]
        for at in (weakest - 1, weakest):
            if 0 <= at < len(kept):
                sureness[at] = _confidence(series, kept, at, autocorrelation)
    return dict(zip(kept, sureness, strict=True))


def _confidence(series: Array, places: Sequence[int], at: int, autocorrelation: float) -> float:
    """Return how sure the change at a place is: Welch's test of its two levels, for all the places it was chosen from.

    Source: Welch 1947; the chance is multiplied by the number of places (Bonferroni), so it errs on the safe side.
    """
    low = places[at - 1] if at else 0
    high = places[at + 1] if at + 1 < len(places) else len(series)
    sides = series[low : places[at]], series[places[at] : high]
    shrink = (1 - autocorrelation) / (1 + autocorrelation)
    counts = [max(len(side) * shrink, 1.5) for side in sides]
    errors = [
        max(float(side.var(ddof=1)) if len(side) > 1 else 0.0, _MIN_NOISE**2) / count
        for side, count in zip(sides, counts, strict=True)
    ]
    total = sum(errors)
    freedom = total**2 / sum(error**2 / max(count - 1, 0.5) for error, count in zip(errors, counts, strict=True))
    t = abs(float(sides[1].mean() - sides[0].mean())) / math.sqrt(total)
    return 1 - min(1.0, 2 * t_sf(t, freedom) * (high - low))


def _change(
    series: Array, clipped: Array, span: tuple[int, int, int], confidence: float, inflation: float
) -> ChangePoint:
    low, place, high = span
    lefts, gains = _gains(clipped[low:high])
    residuals = np.concatenate(
        (clipped[low:place] - clipped[low:place].mean(), clipped[place:high] - clipped[place:high].mean())
    )
    variance = max(float(residuals @ residuals) / max(high - low - 2, 1), _MIN_NOISE**2) * inflation**2
    likely = low + lefts[gains >= gains.max() - LOCATION_LR_95 * variance]
    return ChangePoint(
        index=place,
        first=min(int(likely[0]), place),
        last=max(int(likely[-1]), place),
        before=float(np.median(series[low:place])),
        after=float(np.median(series[place:high])),
        confidence=confidence,
    )
