"""vegeta: `report -type=json`, in nanoseconds, or the single requests of `encode -to=json`, a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from aether_guard.importer.document import decode_json, keys_of
from aether_guard.importer.problem import ImportProblem
from aether_guard.importer.series import Series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_guard.importer.document import Document
    from aether_guard.importer.series import Wishes

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
    latest: str | None = None
    end: str | None = None


class _Request(Struct):
    latency: float
    code: int
    attack: str = ""
    timestamp: str | None = None


def recognises(document: Document) -> bool:
    """Return whether it is a report, or its first line a request."""
    return "50th" in keys_of(document.keys.get("latencies", b"0")) or (
        {"attack", "seq", "code", "latency"} <= document.first_line.keys()
    )


def read(document: Document, wishes: Wishes) -> Iterator[Series]:
    """Yield the latency and the throughput of a report, or the latencies of each attack."""
    del wishes
    if "latencies" not in document.keys:
        yield from _requests(document)
        return
    report = document.decode(_Report)
    if report.success is not None and not report.success:
        raise ImportProblem("no request succeeded", place="success")
    n, latencies, end = max(1, report.requests), report.latencies, report.end or report.latest
    yield Series(name=_TIME, unit="ns", p50=latencies.p50, p95=latencies.p95, n=n, timestamp=end)
    # Of the requests that succeeded.
    yield Series(name=_RATE, unit="req/s", p50=report.throughput, n=n, timestamp=end)


def _requests(document: Document) -> Iterator[Series]:
    attacks: dict[str, list[float]] = {}
    failed = 0
    last: str | None = None
    for number, line in document.lines():
        if not line.strip():
            continue
        try:
            request = decode_json(line.encode(), _Request)
        except ImportProblem as problem:
            raise ImportProblem(str(problem), place=f"line {number}") from None
        if not 200 <= request.code < 400:
            failed += 1
            continue
        attacks.setdefault(request.attack, []).append(request.latency)
        last = request.timestamp or last
    if failed and not attacks:
        raise ImportProblem("no request succeeded")
    notes = f"{failed} requests that failed are left out" if failed else None
    for attack, values in attacks.items():
        name = " ".join(filter(None, (_TIME, attack)))
        yield Series(name=name, unit="ns", rounds=(tuple(values),), timestamp=last, notes=notes)
