"""k6: the end-of-test summary as JSON, of `--summary-export` or of `handleSummary`, times in milliseconds.

Trends of time and the rates of requests and iterations become benches, `http_req_failed` and `checks` with the
direction that they have. What a request is made of, from `http_req_blocked` to `http_req_receiving`, is kept as the
phases of `http_req_duration`. What only says how much load there was (users, bytes sent) is left out.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from aether_guard.importer.document import decode_json, keys_of
from aether_guard.importer.problem import ImportProblem
from aether_guard.importer.series import Series

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aether_guard.importer.document import Document
    from aether_guard.importer.series import Wishes
    from aether_schema import Better

ABOUT = "k6 summary, --summary-export or handleSummary"
SUFFIXES: tuple[str, ...] = (".json",)
_WHOLE = "http_req_duration"
_PARTS = ("blocked", "connecting", "tls_handshaking", "sending", "waiting", "receiving")
_PART_NAMES = frozenset(f"http_req_{part}" for part in _PARTS)
_RATES = {"http_reqs": "req/s", "iterations": "iterations/s"}
_SHARES: dict[str, Better] = {"http_req_failed": "lower", "checks": "higher"}
_AGGREGATES = frozenset({"avg", "min", "med", "max"})
#: The built-in trends, all of time; of one's own, only `handleSummary` says what is in it.
_TIMES = re.compile(r"(?:http_req|ws|grpc|browser|iteration|group|websocket)_\w+")
#: Browser metrics that are no time.
_NO_TIMES = frozenset({"browser_web_vital_cls"})
_COUNTED = {"http": "http_reqs", "iteration": "iterations"}


class _Metric(Struct):
    values: dict[str, Any]
    contains: str | None = None
    type: str | None = None


def recognises(document: Document) -> bool:
    """Return whether there are metrics among which are k6's own."""
    metrics = keys_of(document.keys.get("metrics", b"0"))
    return bool({"iterations", "iteration_duration", "http_reqs", "vus"} & metrics.keys()) and (
        "root_group" in document.keys or "state" in document.keys or "vus" in metrics or "iterations" in metrics
    )


def read(document: Document, wishes: Wishes) -> Iterator[Series]:
    """Yield a bench for each metric that says how good the system was."""
    tables = document.decode(dict[str, msgspec.Raw])
    metrics = {name: _metric(table, name) for name, table in keys_of(tables.get("metrics", b"0")).items()}
    if not metrics:
        raise ImportProblem("missing, or no object", place="metrics")
    for name, metric in metrics.items():
        base, values = name.partition("{")[0], metric.values
        if base in _PART_NAMES:
            continue
        if base in _RATES:
            yield Series(name=name, unit=_RATES[base], p50=_number(values, "rate", name), n=_count(values))
        elif base in _SHARES:
            key = "rate" if "rate" in values else "value"
            n = _sum(values, "passes", "fails")
            yield Series(name=name, unit="ratio", better=_SHARES[base], p50=_number(values, key, name), n=n)
        elif values.keys() & _AGGREGATES == _AGGREGATES or metric.type == "trend":
            yield _trend(name, metric, metrics, wishes)


def _metric(table: msgspec.Raw, name: str) -> _Metric:
    try:
        if "values" in keys_of(table):
            return decode_json(table, _Metric)
        return _Metric(decode_json(table, dict[str, Any]))
    except ImportProblem as problem:
        raise ImportProblem(str(problem), place=f"metrics.{name}") from None


def _trend(name: str, metric: _Metric, metrics: Mapping[str, _Metric], wishes: Wishes) -> Series:
    base, brace, tags = name.partition("{")
    is_time = metric.contains == "time" or (
        metric.contains is None and bool(_TIMES.fullmatch(base)) and base not in _NO_TIMES
    )
    phases = None
    if base == _WHOLE:
        parts = {part: metrics.get(f"http_req_{part}{brace}{tags}") for part in _PARTS}
        phases = {
            part: (_number(found.values, "med", part), _number(found.values, "p(95)", part))
            for part, found in parts.items()
            if found is not None and {"med", "p(95)"} <= found.values.keys()
        }
    counter = metrics.get(_COUNTED.get(base.partition("_")[0], ""))
    n = _count(metric.values) if "count" in metric.values else 0
    return Series(
        name=name,
        unit="ms" if is_time else wishes.unit or "",
        p50=_number(metric.values, "med", name),
        p95=_number(metric.values, "p(95)", name) if "p(95)" in metric.values else None,
        n=max(1, n or (_count(counter.values) if counter is not None and not brace else 1)),
        phases=phases,
    )


def _number(values: Mapping[str, Any], key: str, name: str) -> float:
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ImportProblem("missing, or no number", place=f"metrics.{name}.{key}")
    return float(value)


def _count(values: Mapping[str, Any]) -> int:
    return _sum(values, "count")


def _sum(values: Mapping[str, Any], *keys: str) -> int:
    total = sum(values[key] for key in keys if isinstance(values.get(key), (int, float)))
    return max(1, int(total)) if math.isfinite(total) else 1
