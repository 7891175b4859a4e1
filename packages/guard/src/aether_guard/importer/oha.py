"""oha: `--output-format json` (before, `--json`), in seconds: the response time and the rate of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from aether_guard.importer.document import keys_of
from aether_guard.importer.problem import ImportProblem
from aether_guard.importer.series import Series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_guard.importer.document import Document
    from aether_guard.importer.series import Wishes

ABOUT = "oha JSON"
SUFFIXES: tuple[str, ...] = (".json",)


class _Summary(Struct, rename="camel"):
    requests_per_sec: float
    success_rate: float | None = None


class _Percentiles(Struct):
    p50: float | None
    p95: float | None


class _Report(Struct, rename="camel"):
    summary: _Summary
    latency_percentiles: _Percentiles
    status_code_distribution: dict[str, int] = {}


def recognises(document: Document) -> bool:
    """Return whether there are percentiles and a rate as it names them."""
    return "latencyPercentiles" in document.keys and "requestsPerSec" in keys_of(document.keys.get("summary", b"0"))


def read(document: Document, wishes: Wishes) -> Iterator[Series]:
    """Yield the response time and the rate."""
    del wishes
    report = document.decode(_Report)
    if not report.summary.success_rate and report.summary.success_rate is not None:
        raise ImportProblem("no request succeeded", place="summary.successRate")
    if report.latency_percentiles.p50 is None:
        raise ImportProblem("no response was timed", place="latencyPercentiles.p50")
    n = max(1, sum(report.status_code_distribution.values()))
    p50, p95 = report.latency_percentiles.p50, report.latency_percentiles.p95
    yield Series(name="oha response time", unit="s", p50=p50, p95=p95, n=n)
    yield Series(name="oha req/s", unit="req/s", p50=report.summary.requests_per_sec, n=n)
