"""How far a quantile moved between two summaries with samples or runs, and how sure that is. Pure.

The samples of a process are not independent; processes are. Each round becomes one number
(`aether_guard.stats.sampling_units`), and rounds are compared: the difference of their means, with Welch's interval
(Welch 1947, The generalization of Student's problem when several different population variances are involved). Rounds
with the same memory layout are compared in pairs.

Runs of the same code differ by more than their rounds show. If the baseline keeps several runs, the variance between
them replaces the variance between rounds: the current side is one more draw (Student's prediction interval, with one
degree of freedom less than there are runs).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from aether_guard.stats.sampling_units import compared_units
from aether_guard.stats.t_distribution import t_ppf, t_sf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_schema import Statistic, Summary

#: How often the interval holds the truth; each bound alone is crossed by chance in half of the other cases.
INTERVAL_LEVEL = 0.9
ONE_SIDED = (1 + INTERVAL_LEVEL) / 2
#: A one-sided 95 % bound on a p95 is finite from this many samples on: 0.95^59 < 0.05.
MIN_SAMPLES_FOR_P95 = 59
#: No more samples than these are asked for.
MAX_SAMPLES = 10_000
#: A fall by all but this of it, which still has a logarithm.
_MIN_CHANGE = -1 + 1e-12
_MIN_RUNS = 2
#: Degrees of freedom at which a t distribution is normal for every purpose here.
_NORMAL = 1e6


class Estimate(Struct, frozen=True, kw_only=True):
    """The worsening in logarithms: its centre and standard error, with the degrees of freedom of the latter.

    A positive `log_change` is worse for every metric. `fixed` is the part of `std_error` that no number of samples
    makes smaller. `chunk_length` is the length of the pieces compared, `sample_size` the number of independent pieces
    on the smaller side; both are 0 if samples gave no error. `runs` counts the baseline runs whose variance is in the
    error: with one run, the differences between runs are not in it. With `single_process` a side came from one process:
    its pieces are the sampling units, and the difference between processes is not in the error.
    """

    log_change: float
    std_error: float
    dof: float
    lower_is_better: bool
    chunk_length: int
    sample_size: int
    single_process: bool = False
    extra_half_width: float = 0.0
    fixed: float = 0.0
    runs: int = 1

    @property
    def change(self) -> float:
        """The worsening as a fraction."""
        return from_log(self.log_change, lower_is_better=self.lower_is_better)

    @property
    def half_width(self) -> float:
        """How far the interval reaches to either side of the centre, in logarithms."""
        return t_ppf(ONE_SIDED, self.dof) * self.std_error + self.extra_half_width

    @property
    def interval(self) -> tuple[float, float]:
        """The worsening's bounds as fractions, at INTERVAL_LEVEL: each one-sided at 95 %."""
        bounds = (self.log_change - self.half_width, self.log_change + self.half_width)
        return (
            from_log(bounds[0], lower_is_better=self.lower_is_better),
            from_log(bounds[1], lower_is_better=self.lower_is_better),
        )

    def p_value_worse(self, null: float) -> float:
        """Return the p-value against a true worsening of at most `null`, a fraction."""
        return self._tail(self.log_change - to_log(null, lower_is_better=self.lower_is_better))

    def p_value_better(self, null: float) -> float:
        """Return the p-value against a true improvement of at most `null`, a fraction."""
        return self._tail(to_log(-null, lower_is_better=self.lower_is_better) - self.log_change)

    def with_fixed_error(self, std_error: float) -> Estimate:
        """Return the estimate with a further standard error that no number of samples makes smaller."""
        return replace(self, std_error=math.hypot(self.std_error, std_error), fixed=math.hypot(self.fixed, std_error))

    def samples_needed(self, gate: float) -> int | None:
        """Return how many samples, in rounds as they are, would bring the interval to one side of `gate`.

        None if no number would decide. At most MAX_SAMPLES: beyond it, the figure practically equals the gate.
        """
        distance = max(abs(self.log_change - to_log(gate, lower_is_better=self.lower_is_better)), 0.01)
        allowed = (distance - self.extra_half_width) / t_ppf(ONE_SIDED, self.dof)
        if not self.sample_size or allowed <= self.fixed:
            return None
        excess = (self.std_error**2 - self.fixed**2) / (allowed**2 - self.fixed**2)
        rounds = self.sample_size * max(1.0, excess) + 1
        return min(MAX_SAMPLES, math.ceil(min(rounds, MAX_SAMPLES)) * self.chunk_length)

    def _tail(self, distance: float) -> float:
        distance -= self.extra_half_width
        if self.std_error == 0:
            return 0.0 if distance > 0 else 1.0
        return t_sf(distance / self.std_error, self.dof)


class _Side(Struct, frozen=True):
    """The level of a side in logarithms, the variance of that level, and the degrees of freedom of the variance."""

    level: float
    variance: float = 0.0
    dof: float = 1.0


def estimate(baseline: Summary, current: Summary, name: Statistic, *, normalized: bool) -> Estimate | None:
    """Return the estimate of a statistic's worsening, or None where neither samples nor runs allow one.

    `by_ruler` needs references of the same kernel on both sides.
    """
    sample_size = compared_units(baseline, current, name, normalized=normalized)
    levels = run_levels(baseline, name, normalized=normalized)
    if sample_size is not None:
        before, after = map(_side, sample_size.sides)
        if sample_size.paired and len(levels) < _MIN_RUNS:
            # The effect of a layout is in both rounds that had it, and drops out of their difference.
            differences = _side([new - old for old, new in zip(*sample_size.sides, strict=True)])
            before = replace(before, variance=0.0)
            after = replace(differences, level=after.level)
    elif (sides := _intervals(baseline, current, name) or _figures(baseline, current, name, levels)) is not None:
        before, after = sides
    else:
        return None
    parts = [(before.variance, before.dof), (after.variance, after.dof)]
    moved, fixed, several = 0.0, 0.0, len(levels) >= _MIN_RUNS
    if several:
        # The baseline is the mean of its runs, and the current run one more draw of the same run effects.
        moved = math.fsum(levels) / len(levels) - levels[-1]
        draws = 1 + 1 / len(levels)
        between = _variance(levels)
        # The variance between runs includes the variance within a run; the excess of a noisier current run is added.
        parts = [(between * draws, len(levels) - 1.0), (max(0.0, after.variance - before.variance), after.dof)]
        fixed = math.sqrt(max(0.0, between - before.variance) * draws)
    dof = _freedom(parts)
    lower_is_better = baseline.lower_is_better
    return Estimate(
        log_change=(after.level - before.level - moved) * (1 if lower_is_better else -1),
        std_error=math.sqrt(math.fsum(variance for variance, _ in parts)),
        # The part that is added can only raise the error, so it must not lend it degrees of freedom.
        dof=min(dof, parts[0][1]) if several else dof,
        lower_is_better=lower_is_better,
        chunk_length=0 if sample_size is None else sample_size.piece,
        sample_size=0 if sample_size is None else sample_size.count,
        single_process=sample_size is not None and sample_size.single and not several,
        fixed=fixed,
        runs=max(1, len(levels)),
    )


def run_levels(baseline: Summary, name: Statistic, *, normalized: bool) -> list[float]:
    """Return the logarithm of a statistic in each run that the baseline keeps; nothing where a run lacks it."""
    kept = [run.normalized if normalized else run for run in baseline.runs or ()]
    levels = [None if run is None else getattr(run, name) for run in kept]
    return [] if None in levels else [math.log(level) for level in levels if level is not None]


def level(summary: Summary, name: Statistic, *, normalized: bool) -> float | None:
    """Return a statistic of one run as `estimate` takes it: the geometric mean over its rounds, or its own figure.

    None where the summary does not hold it, or it is 0; normalized, also without samples.
    """
    sample_size = compared_units(summary, summary, name, normalized=normalized)
    if sample_size is not None:
        return math.exp(max(-700.0, min(_side(sample_size.sides[0]).level, 700.0)))
    return None if normalized else summary.statistic(name) or None


def _intervals(baseline: Summary, current: Summary, name: Statistic) -> tuple[_Side, _Side] | None:
    """Return both tools' intervals of the middle, taken for normal in logarithms."""
    sides = []
    for summary in (baseline, current):
        interval = summary.interval
        if name != "p50" or summary.samples or interval is None or interval.low <= 0:
            return None
        std_error = math.log(interval.high / interval.low) / 2 / t_ppf((1 + interval.level) / 2, _NORMAL)
        sides.append(_Side(math.log(summary.p50), std_error**2, _NORMAL))
    return sides[0], sides[1]


def _figures(
    baseline: Summary, current: Summary, name: Statistic, levels: Sequence[float]
) -> tuple[_Side, _Side] | None:
    """Return the two figures alone, where the baseline's runs show by how much such figures differ."""
    before, after = (summary.statistic(name) for summary in (baseline, current))
    # The runs of a baseline with enough samples are means over rounds, which no single figure compares with.
    alone = compared_units(baseline, baseline, name, normalized=False) is None
    if len(levels) < _MIN_RUNS or not alone or not before or not after:
        return None
    return _Side(math.log(before)), _Side(math.log(after))


def from_log(logarithm: float, *, lower_is_better: bool) -> float:
    """Return a log worsening as a fraction of the baseline's cost, or of its throughput."""
    return math.expm1(min(logarithm, 700.0)) if lower_is_better else -math.expm1(min(-logarithm, 700.0))


def to_log(change: float, *, lower_is_better: bool) -> float:
    """Return a worsening as a logarithm; neither a cost nor a throughput can fall by more than all of it."""
    return math.log1p(max(change, _MIN_CHANGE)) if lower_is_better else -math.log1p(max(-change, _MIN_CHANGE))


def _side(values: Sequence[float]) -> _Side:
    return _Side(math.fsum(values) / len(values), _variance(values) / len(values), len(values) - 1.0)


def _variance(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _freedom(parts: Sequence[tuple[float, float]]) -> float:
    """Return the degrees of freedom of a sum of variances, each with its own, by Welch and Satterthwaite."""
    total = math.fsum(variance for variance, _ in parts)
    if total == 0:
        return math.fsum(freedom for _, freedom in parts)
    return float(total**2 / math.fsum(variance**2 / freedom for variance, freedom in parts))
