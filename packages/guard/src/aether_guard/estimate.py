"""How far a quantile moved between two summaries with samples, and how sure that is. Pure.

The samples of one process are not independent; the processes are. So each round is made into one number,
the logarithm of its own quantile, and the rounds are what is compared: the difference of their means, with
Welch's interval (Welch 1947, The generalization of Student's problem when several different population
variances are involved).

By the ruler, what made the reference slower too is out: for the middle every sample is divided by the reference
beside it (a throughput is multiplied) before the quantile is taken; for the tail the round's quantile is divided
by the same quantile of its references. The tail of the ratios would be made of the samples whose reference was
fast by accident, which says nothing of the bench.

A round's quantile of few samples lies nearer the middle than that of many; rounds of different lengths are
therefore cut to pieces of the same length, and the pieces of a round averaged.
"""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from aether_guard.student import quantile_of_t, upper_tail
from aether_schema import statistic

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aether_schema import Interval, Rounds, Statistic, Summary

#: The interval reaches this far to either side: each bound alone is crossed by chance in 5 % of cases.
ONE_SIDED = 0.95
#: A one-sided 95 % bound on a p95 is finite from this many samples on: 0.95^59 < 0.05.
BOUNDED_SAMPLES = 59
#: No more samples than these are asked for.
MOST_SAMPLES = 10_000
#: Shorter pieces of a round hold no tail, and are not cut from one process.
LEAST_SAMPLES = 3
#: A fall by all but this of it, which still has a logarithm.
_ALL_GONE = -1 + 1e-12
_LEAST_UNITS = 2
#: Degrees of freedom at which a t distribution is normal for every purpose here.
_NORMAL = 1e6


class Estimate(Struct, frozen=True, kw_only=True):
    """The worsening in logarithms: its centre and standard error, with the degrees of freedom of the latter.

    A positive centre is worse, whatever the metric. `piece` is the length of the pieces compared, `units`
    how many independent ones there are on the smaller side; both are 0 for the interval of another tool.
    `single_process` says that a side came from one process, so that the units are pieces of it and the difference
    between processes is not in the error.
    """

    centre: float
    error: float
    freedom: float
    lower_is_better: bool
    piece: int
    units: int
    single_process: bool = False
    widened: float = 0.0

    @property
    def change(self) -> float:
        """The worsening as a fraction."""
        return as_change(self.centre, lower_is_better=self.lower_is_better)

    @property
    def reach(self) -> float:
        """How far the interval reaches to either side of the centre, in logarithms."""
        return quantile_of_t(ONE_SIDED, self.freedom) * self.error + self.widened

    @property
    def interval(self) -> tuple[float, float]:
        """The worsening's bounds as fractions, each one-sided at 95 %."""
        bounds = (self.centre - self.reach, self.centre + self.reach)
        return (
            as_change(bounds[0], lower_is_better=self.lower_is_better),
            as_change(bounds[1], lower_is_better=self.lower_is_better),
        )

    def chance_of_worse(self, null: float) -> float:
        """Return the p-value against a true worsening of at most `null`, a fraction."""
        return self._tail(self.centre - as_log(null, lower_is_better=self.lower_is_better))

    def chance_of_better(self, null: float) -> float:
        """Return the p-value against a true improvement of at most `null`, a fraction."""
        return self._tail(as_log(-null, lower_is_better=self.lower_is_better) - self.centre)

    def samples_needed(self, gate: float) -> int:
        """Return how many samples, in rounds as they are, would bring the interval to one side of `gate`.

        At most MOST_SAMPLES: where it takes more, the figure is as good as on the gate.
        """
        distance = max(abs(self.centre - as_log(gate, lower_is_better=self.lower_is_better)), 0.01)
        reach = quantile_of_t(ONE_SIDED, self.freedom) * self.error
        rounds = self.units * max(1.0, (reach / distance) ** 2) + 1
        return min(MOST_SAMPLES, math.ceil(min(rounds, MOST_SAMPLES)) * self.piece)

    def _tail(self, distance: float) -> float:
        distance -= self.widened
        if self.error == 0:
            return 0.0 if distance > 0 else 1.0
        return upper_tail(distance / self.error, self.freedom)


def estimate(baseline: Summary, current: Summary, name: Statistic, *, by_ruler: bool) -> Estimate | None:
    """Return the estimate of a statistic's worsening, or None where the samples do not allow one.

    `by_ruler` needs references of the same kernel on both sides.
    """
    sides = [summary.samples or () for summary in (baseline, current)]
    if name == "p50" and not any(sides) and baseline.interval is not None and current.interval is not None:
        return _from_intervals(baseline, current, baseline.interval, current.interval)
    lengths = [_usual_length(rounds) for rounds in sides]
    single = any(len(rounds) < _LEAST_UNITS for rounds in sides)
    is_tail = name in {"p5", "p95"}
    if is_tail and not single and min(lengths) < LEAST_SAMPLES:
        # Processes too short for a tail of their own are taken together, and pieces of them compared.
        baseline, current = (_as_one_round(summary) for summary in (baseline, current))
        lengths = [sum(map(len, rounds)) for rounds in sides]
        apart = True
    else:
        apart = single
    # Where rounds are not the units, quarters of all samples are.
    piece = max(LEAST_SAMPLES, min(lengths) // 4) if apart else min(lengths)
    if piece < (LEAST_SAMPLES if apart else 1):
        return None
    figure_of = _by_ruler if by_ruler else _as_they_came
    units = [_units(list(figure_of(summary, piece, name)), apart=apart) for summary in (baseline, current)]
    if any(len(side) < _LEAST_UNITS for side in units):
        return None
    before, after = (_moments(side) for side in units)
    variance = before.variance / before.count + after.variance / after.count
    lower_is_better = baseline.lower_is_better
    return Estimate(
        centre=(after.mean - before.mean) * (1 if lower_is_better else -1),
        error=math.sqrt(variance),
        freedom=_freedom(before, after),
        lower_is_better=lower_is_better,
        piece=piece,
        units=min(before.count, after.count),
        single_process=single,
    )


def _from_intervals(baseline: Summary, current: Summary, before: Interval, after: Interval) -> Estimate | None:
    """Return the estimate from both tools' intervals of the middle, taken for normal in logarithms."""
    if min(before.low, after.low) <= 0:
        return None
    errors = [
        math.log(interval.high / interval.low) / 2 / quantile_of_t((1 + interval.level) / 2, _NORMAL)
        for interval in (before, after)
    ]
    return Estimate(
        centre=math.log(current.p50 / baseline.p50) * (1 if baseline.lower_is_better else -1),
        error=math.hypot(*errors),
        freedom=_NORMAL,
        lower_is_better=baseline.lower_is_better,
        piece=0,
        units=0,
    )


def _as_one_round(summary: Summary) -> Summary:
    """Return the summary with all samples, and the references next to them, in one round."""
    samples = (tuple(chain.from_iterable(summary.samples or ())),)
    reference = summary.reference
    if reference is not None:
        reference = replace(reference, samples=(tuple(chain.from_iterable(reference.samples)),))
    return replace(summary, samples=samples, reference=reference, cross_reference=None)


def as_change(logarithm: float, *, lower_is_better: bool) -> float:
    """Return a worsening in logarithms as a fraction: of the baseline's cost, or of its throughput."""
    return math.expm1(min(logarithm, 700.0)) if lower_is_better else -math.expm1(min(-logarithm, 700.0))


def as_log(change: float, *, lower_is_better: bool) -> float:
    """Return a worsening as a logarithm; neither a cost nor a throughput can fall by more than all of it."""
    return math.log1p(max(change, _ALL_GONE)) if lower_is_better else -math.log1p(max(-change, _ALL_GONE))


class _Moments(Struct, frozen=True):
    mean: float
    variance: float
    count: int


def _as_they_came(summary: Summary, piece: int, name: Statistic) -> Iterator[list[float]]:
    """Yield the statistic of every piece, one list per round."""
    for values in summary.samples or ():
        yield [statistic(part, name) for part in _pieces(values, piece)]


def _by_ruler(summary: Summary, piece: int, name: Statistic) -> Iterator[list[float]]:
    """Yield the statistic of every piece by the ruler, one list per round."""
    assert summary.reference is not None
    for values, rulers in zip(summary.samples or (), summary.reference.samples, strict=True):
        # What a duration is divided by; a throughput is divided by the speed of the ruler.
        scale = rulers if summary.lower_is_better else [1 / ruler for ruler in rulers]
        parts = zip(_pieces(values, piece), _pieces(scale, piece), strict=True)
        if name in {"p5", "p95"}:
            yield [statistic(part, name) / statistic(by, name) for part, by in parts]
        else:
            yield [statistic([value / by for value, by in zip(*part, strict=True)], name) for part in parts]


def _usual_length(rounds: Rounds) -> int:
    lengths = sorted(map(len, rounds))
    return lengths[len(lengths) // 2] if lengths else 0


def _pieces(values: Sequence[float], piece: int) -> list[Sequence[float]]:
    """Return the whole pieces of a round; of one shorter than a piece itself, unless it is less than half of it."""
    parts = [values[start : start + piece] for start in range(0, len(values), piece)]
    return [part for part in parts if len(part) == piece] or [
        part for part in parts if len(part) >= max(min(LEAST_SAMPLES, piece), piece / 2)
    ]


def _units(rounds: Sequence[Sequence[float]], *, apart: bool) -> list[float]:
    """Return the logarithm of a round's quantiles, their mean, or with `apart` each of them."""
    units: list[float] = []
    for quantiles in rounds:
        if not quantiles or min(quantiles) <= 0 or not math.isfinite(max(quantiles)):
            continue  # nothing in it, or a figure of 0, of which there is no ratio
        logs = [math.log(value) for value in quantiles]
        units += logs if apart else [sum(logs) / len(logs)]
    return units


def _moments(values: Sequence[float]) -> _Moments:
    mean = math.fsum(values) / len(values)
    return _Moments(mean, math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1), len(values))


def _freedom(before: _Moments, after: _Moments) -> float:
    """Return the degrees of freedom by Welch and Satterthwaite."""
    shares = [side.variance / side.count for side in (before, after)]
    total = sum(shares)
    if total == 0:
        return float(before.count + after.count - 2)
    parts = (share**2 / (side.count - 1) for share, side in zip(shares, (before, after), strict=True))
    return float(total**2 / sum(parts))
