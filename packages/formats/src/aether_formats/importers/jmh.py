"""JMH: `-rf json`. The unit gives the direction (`ops/s` or `s/op`), not the mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from aether_formats.model import Failures, ImportedSeries, name_with_params

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document

ABOUT = "JMH -rf json"
SUFFIXES: tuple[str, ...] = (".json",)
#: A histogram with more samples is reduced to its percentiles.
HISTOGRAM_LIMIT = 1_000_000


class _Metric(Struct, rename="camel"):
    score: float | str
    score_unit: str
    score_percentiles: dict[str, float | str] = {}
    raw_data: tuple[tuple[float | str, ...], ...] = ()
    raw_data_histogram: list[list[list[tuple[float, int]]]] = []


class _Result(Struct, rename="camel"):
    benchmark: str
    mode: str
    primary_metric: _Metric
    params: dict[str, str] = {}
    jdk_version: str | None = None
    vm_name: str | None = None
    threads: int = 1
    forks: int = 1
    measurement_iterations: int = 1


def matches(document: Document) -> bool:
    """Return whether the first result has a primary metric."""
    return {"benchmark", "primaryMetric"} <= document.first_object.keys()


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield one series per result, one round per fork; two modes of a benchmark get different names."""
    del options
    results = document.decode(list[_Result])
    modes: dict[str, set[str]] = {}
    for result in results:
        modes.setdefault(result.benchmark, set()).add(result.mode)
    for result in results:
        metric, several = result.primary_metric, len(modes[result.benchmark]) > 1
        scores = [tuple(value for value in fork if not isinstance(value, str)) for fork in metric.raw_data]
        yield ImportedSeries(
            name=name_with_params(
                f"{result.benchmark} {result.mode}" if several else result.benchmark, dict(result.params)
            ),
            unit=metric.score_unit,
            rounds=tuple(fork for fork in scores if fork) or _expanded(metric) or None,
            p50=_number(metric.score_percentiles.get("50.0")),
            p95=_number(metric.score_percentiles.get("95.0")),
            mean=_number(metric.score),
            n=max(1, result.forks * result.measurement_iterations),
            params=dict(result.params),
            environment=_machine(result),
            failures=_failures(metric),
        )


def _number(written: float | str | None) -> float | None:
    """Return a number, or None where it could not be had, which is written as the text NaN."""
    return None if isinstance(written, str) else written


def _failures(metric: _Metric) -> Failures:
    """Return the iterations without a score."""
    scores = [score for fork in metric.raw_data for score in fork] or [metric.score]
    failed = sum(isinstance(score, str) for score in scores)
    return Failures(
        failed=failed, total=len(scores), problem=f"{failed} of {len(scores)} iterations ended without a score"
    )


def _expanded(metric: _Metric) -> tuple[tuple[float, ...], ...]:
    """Return the samples that the histograms of the mode `sample` count, a round a fork."""
    counts = [count for fork in metric.raw_data_histogram for iteration in fork for _, count in iteration]
    if not counts or min(counts) < 0 or sum(counts) > HISTOGRAM_LIMIT:
        return ()
    return tuple(
        tuple(value for iteration in fork for value, count in iteration for _ in range(count))
        for fork in metric.raw_data_histogram
    )


def _machine(result: _Result) -> dict[str, Any]:
    known = {"jdk": result.jdk_version, "vm": result.vm_name, "threads": result.threads}
    return {key: value for key, value in known.items() if value is not None}
