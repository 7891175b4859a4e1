"""vegeta: `report -type=json`, in nanoseconds, or the single requests of `encode -to=json`, a line each.

A request failed if its status is outside 2xx and 3xx or it has an error. A report holds the times of failed requests in
its latencies; its throughput counts the others alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from aether_formats.errors import ImportFileError
from aether_formats.model import Failures, ImportedSeries
from aether_formats.reading.document import decode_json, keys_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document

ABOUT = "vegeta report -type=json, or encode -to=json"
SUFFIXES: tuple[str, ...] = (".json", ".jsonl", ".ndjson")
_TIME = "vegeta latency"
_RATE = "vegeta throughput"


class _Latencies(Struct):
    p50: float = msgspec.field(name="50th")
    p95: float = msgspec.field(name="95th")


class _Report(Struct):
    latencies: _Latencies
    requests: int
    throughput: float
    success: float | None = None
    status_codes: dict[str, int] = {}
    errors: list[str] | None = None
    latest: str | None = None
    end: str | None = None


class _Request(Struct):
    latency: float
    code: int
    attack: str = ""
    error: str = ""
    timestamp: str | None = None


class _Attack(Struct):
    """The requests of one attack: the latencies of those that succeeded, and the problems of the others."""

    latencies: list[float] = []
    failed: int = 0
    problem: str = ""
    last: str | None = None


def matches(document: Document) -> bool:
    """Return whether it is a report, or its first line a request."""
    return "50th" in keys_of(document.keys.get("latencies", b"0")) or (
        {"attack", "seq", "code", "latency"} <= document.first_line.keys()
    )


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield the latency and the throughput of a report, or the latencies of each attack."""
    del options
    if "latencies" not in document.keys:
        yield from _requests(document)
        return
    report = document.decode(_Report)
    failures = _failures(report)
    n, latencies, end = max(1, report.requests), report.latencies, report.end or report.latest
    p50, p95, rate = latencies.p50, latencies.p95, report.throughput
    is_any_left = failures.failed < failures.total
    time = ImportedSeries(name=_TIME, unit="ns", n=n, timestamp=end, failures=failures)
    throughput = ImportedSeries(name=_RATE, unit="req/s", n=n, timestamp=end, failures=failures)
    yield replace(time, p50=p50, p95=p95) if is_any_left else time
    yield replace(throughput, p50=rate) if is_any_left else throughput


def _failures(report: _Report) -> Failures:
    """Return the requests that failed, by their statuses, or in a report without them by the share of successes."""
    total = max(1, report.requests)
    if report.status_codes:
        failed: float = sum(count for code, count in report.status_codes.items() if code[:1] not in {"2", "3"})
    else:
        failed = 0 if report.success is None else (1 - report.success) * total
    text = f" ({report.errors[0][:120]})" if report.errors else ""
    return Failures(failed=failed, total=total, problem=f"{failed:.6g} of {total} requests failed{text}")


def _requests(document: Document) -> Iterator[ImportedSeries]:
    attacks: dict[str, _Attack] = {}
    for number, line in document.lines():
        if not line.strip():
            continue
        try:
            request = decode_json(line.encode(), _Request)
        except ImportFileError as problem:
            raise ImportFileError(str(problem), place=f"line {number}") from None
        attack = attacks.setdefault(request.attack, _Attack())
        attack.last = request.timestamp or attack.last
        if request.error or not 200 <= request.code < 400:
            attack.failed += 1
            attack.problem = attack.problem or request.error or f"status {request.code}"
        else:
            attack.latencies.append(request.latency)
    for name, attack in attacks.items():
        total = attack.failed + len(attack.latencies)
        text = f"{attack.failed} of {total} requests failed ({attack.problem[:120]}) and are left out"
        yield ImportedSeries(
            name=" ".join(filter(None, (_TIME, name))),
            unit="ns",
            rounds=(tuple(attack.latencies),),
            timestamp=attack.last,
            failures=Failures(failed=attack.failed, total=total, problem=text),
        )
