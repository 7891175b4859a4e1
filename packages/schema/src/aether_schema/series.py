"""The series of a summary: its metric, and each of its further figures as a summary of its own."""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_schema.quantile import quantile
from aether_schema.summary import BENCH_ID_LENGTH, FigureSeries, RunLevels, Summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PEAK_MEMORY = "peak-memory"
CPU_TIME = "cpu-time"
#: Counts that differ by more than this between rounds do not repeat exactly.
EXACT_TOLERANCE = 1e-3


class Series(Struct, frozen=True, kw_only=True):
    """One figure of a bench as a summary. `figure` is its name; None for the metric of the bench.

    The `bench_id` of a further figure is the bench's with the name of the figure: `packaging:peak-memory`. `exact`
    marks counts that repeat exactly; their summary holds the median without samples. `varies` marks counts that should
    repeat and do not.
    """

    bench_id: str
    summary: Summary
    figure: str | None = None
    exact: bool = False
    varies: bool = False


def figures_of(summary: Summary) -> dict[str, FigureSeries]:
    """Return the further figures by name, including peak memory and CPU time from the costs of the rounds."""
    usage = summary.rounds or ()
    costs: dict[str, FigureSeries] = {}
    memory = [each.peak_memory_bytes for each in usage]
    times = [(each.user_cpu_s, each.system_cpu_s) for each in usage]
    if usage and None not in memory:
        values = tuple(float(value) for value in memory if value is not None)
        costs[PEAK_MEMORY] = FigureSeries(unit="bytes", better="lower", values=values)
    if usage and all(user is not None and system is not None for user, system in times):
        values = tuple((user or 0.0) + (system or 0.0) for user, system in times)
        costs[CPU_TIME] = FigureSeries(unit="s", better="lower", values=values)
    return {**costs, **(summary.figures or {})}


def series_of(summary: Summary) -> Iterator[Series]:
    """Yield the metric of a summary, and each of its further figures."""
    yield Series(bench_id=summary.bench_id, summary=summary)
    for name, figure in figures_of(summary).items():
        exact = figure.exact and repeats(figure.values)
        yield Series(
            bench_id=summary.bench_id,
            summary=_as_summary(summary, name, figure, exact=exact),
            figure=name,
            exact=exact,
            varies=figure.exact and not exact,
        )


def repeats(values: Sequence[float]) -> bool:
    """Return whether counts repeat from round to round."""
    return max(values) - min(values) <= EXACT_TOLERANCE * max(values)


def run_figures(summary: Summary) -> dict[str, float]:
    """Return the level of each further figure in one run: the geometric mean over its rounds, without zeros."""
    return {
        name: math.exp(math.fsum(map(math.log, figure.values)) / len(figure.values))
        for name, figure in figures_of(summary).items()
        if min(figure.values) > 0
    }


def _as_summary(summary: Summary, name: str, figure: FigureSeries, *, exact: bool) -> Summary:
    values = figure.values
    median = quantile(values, 0.5)
    runs = None
    if summary.runs is not None and not exact and all(name in (run.figures or {}) for run in summary.runs):
        runs = tuple(RunLevels(timestamp=run.timestamp, p50=(run.figures or {})[name]) for run in summary.runs)
    return Summary(
        bench_id=series_id(summary.bench_id, name),
        metric="value",
        unit=figure.unit,
        better=figure.better,
        p50=median,
        p95=median if exact else quantile(values, 0.95),
        n=len(values),
        timestamp=summary.timestamp,
        statistics=("p50",),
        samples=None if exact else tuple((value,) for value in values),
        environment=summary.environment,
        params=summary.params,
        commit=summary.commit,
        layout_seed=summary.layout_seed,
        functions=summary.functions if name in _counted_by(summary) else None,
        runs=runs,
    )


def _counted_by(summary: Summary) -> set[str]:
    """Return the names of the counts that are divided by function."""
    return {name for counts in (summary.functions or {}).values() for name in counts}


def series_id(bench_id: str, figure: str) -> str:
    """Return the id of a figure's series, shortened with a checksum if it is too long."""
    full = f"{bench_id}:{figure}"
    if len(full) <= BENCH_ID_LENGTH:
        return full
    end = f"-{zlib.crc32(bench_id.encode()):08x}:{figure}"
    return bench_id[: BENCH_ID_LENGTH - len(end)] + end
