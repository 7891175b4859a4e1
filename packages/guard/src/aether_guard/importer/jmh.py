"""JMH: `-rf json`. The direction is that of the unit, `ops/s` or `s/op`, never of the mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from aether_guard.importer.problem import ImportProblem
from aether_guard.importer.series import Series, swept

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_guard.importer.document import Document
    from aether_guard.importer.series import Wishes

ABOUT = "JMH -rf json"
SUFFIXES: tuple[str, ...] = (".json",)
#: A histogram of more samples than these is told by its percentiles.
HISTOGRAM_LIMIT = 1_000_000


class _Metric(Struct, rename="camel"):
    score: float | str
    score_unit: str
    score_percentiles: dict[str, float | str] = {}
    raw_data: tuple[tuple[float, ...], ...] = ()
    raw_data_histogram: list[list[list[tuple[float, int]]]] = []


class _Result(Struct, rename="camel"):
    benchmark: str
    mode: str
    primary_metric: _Metric
    params: dict[str, str] = {}
    jdk_version: str | None = None
    vm_name: str | None = None
    threads: int = 1


def recognises(document: Document) -> bool:
    """Return whether the first result has a primary metric."""
    return {"benchmark", "primaryMetric"} <= document.first.keys()


def read(document: Document, wishes: Wishes) -> Iterator[Series]:
    """Yield a result each, a round a fork; two modes of one benchmark are told apart by their names."""
    del wishes
    results = document.decode(list[_Result])
    modes: dict[str, set[str]] = {}
    for result in results:
        modes.setdefault(result.benchmark, set()).add(result.mode)
    for result in results:
        metric, several = result.primary_metric, len(modes[result.benchmark]) > 1
        score = _number(metric.score, place=f"{result.benchmark}: score")
        rounds = tuple(fork for fork in metric.raw_data if fork) or _expanded(metric)
        percentiles = {key: value for key, value in metric.score_percentiles.items() if isinstance(value, (int, float))}
        yield Series(
            name=swept(f"{result.benchmark} {result.mode}" if several else result.benchmark, dict(result.params)),
            unit=metric.score_unit,
            rounds=rounds or None,
            p50=percentiles.get("50.0", score),
            p95=percentiles.get("95.0") if "50.0" in percentiles else None,
            params=dict(result.params),
            environment=_machine(result),
        )


def _number(score: float | str, place: str) -> float:
    # A score that could not be had is written as the text NaN.
    if isinstance(score, str):
        raise ImportProblem(f"{score[:40]!r} is no figure", place=place)
    return score


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
