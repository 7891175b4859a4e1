"""oha: `--output-format json` (before, `--json`), in seconds: the response time and the rate of requests.

oha counts a response of any status as a success, so its success rate is 1 for a server that answers 500. Here a status
outside 2xx and 3xx is a failure, as is an error. A request that the end of `-z` cut off is neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from aether_formats.errors import ImportFileError
from aether_formats.model import Failures, ImportedSeries
from aether_formats.reading.document import keys_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document

ABOUT = "oha JSON"
SUFFIXES: tuple[str, ...] = (".json",)
_CUT_OFF = "aborted due to deadline"


class _Summary(Struct, rename="camel"):
    requests_per_sec: float
    success_rate: float | None = None


class _Percentiles(Struct):
    p50: float | None
    p95: float | None


class _Report(Struct, rename="camel"):
    summary: _Summary
    latency_percentiles: _Percentiles
    latency_percentiles_successful: _Percentiles | None = None
    status_code_distribution: dict[str, int] = {}
    error_distribution: dict[str, int] = {}


def matches(document: Document) -> bool:
    """Return whether there are percentiles and a rate as it names them."""
    return "latencyPercentiles" in document.keys and "requestsPerSec" in keys_of(document.keys.get("summary", b"0"))


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield the response time and the rate."""
    del options
    report = document.decode(_Report)
    failures = _failures(report)
    percentiles, n = report.latency_percentiles, max(1, sum(report.status_code_distribution.values()))
    time = ImportedSeries(name="oha response time", unit="s", n=n, failures=failures)
    rate = ImportedSeries(name="oha req/s", unit="req/s", n=n, failures=failures)
    if failures.failed >= failures.total:
        # No figure is left: they describe failures alone.
        yield from (time, rate)
        return
    if failures.failed > 0:
        percentiles = report.latency_percentiles_successful or percentiles
    if percentiles.p50 is None:
        raise ImportFileError("no response was timed", place="latencyPercentiles.p50")
    yield replace(time, p50=percentiles.p50, p95=percentiles.p95)
    yield replace(rate, p50=report.summary.requests_per_sec)


def _failures(report: _Report) -> Failures:
    """Return the requests that failed, by their statuses and errors, or by the success rate in a file without them."""
    statuses = report.status_code_distribution
    errors = {error: count for error, count in report.error_distribution.items() if error != _CUT_OFF}
    bad = {status: count for status, count in statuses.items() if status[:1] not in {"2", "3"}} | errors
    rate = report.summary.success_rate
    if not bad and rate is not None and rate < 1:
        return Failures(failed=1 - rate, total=1, problem=f"{1 - rate:.3g} of the requests failed")
    failed, total = sum(bad.values()), sum(statuses.values()) + sum(errors.values())
    kinds = ", ".join(f"{kind[:80]}: {count}" for kind, count in sorted(bad.items(), key=lambda item: -item[1])[:3])
    return Failures(failed=failed, total=max(total, 1), problem=f"{failed} of {total} requests failed ({kinds})")
