"""k6: the end-of-test summary as JSON, of `--summary-export` or of `handleSummary`, times in milliseconds.

Trends of time and the rates of requests and iterations become benches. The parts of a request, from
`http_req_blocked` to `http_req_receiving`, become the phases of `http_req_duration`. The load that was applied (users,
bytes sent) is left out. Failed requests, failed checks and crossed thresholds are failures of every bench in the file,
because the trends hold the times of failed requests too.

Three shapes exist: `--summary-export` has the values of a metric directly under its name, `handleSummary` has them in
`values` next to a type, and the machine-readable summary (k6 1.5) has a list of metrics in `results`.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from aether_formats.errors import ImportFileError
from aether_formats.model import Failures, ImportedSeries
from aether_formats.reading.document import decode_json, keys_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document

ABOUT = "k6 summary, --summary-export or handleSummary"
SUFFIXES: tuple[str, ...] = (".json",)
_WHOLE = "http_req_duration"
_PARTS = ("blocked", "connecting", "tls_handshaking", "sending", "waiting", "receiving")
_PART_NAMES = frozenset(f"http_req_{part}" for part in _PARTS)
_RATES = {"http_reqs": "req/s", "iterations": "iterations/s"}
_FAILED_REQUESTS, _CHECKS = "http_req_failed", "checks"
_OWN = frozenset({"iterations", "iteration_duration", "http_reqs", "vus"})
_PERCENTILE = re.compile(r"p\(?(\d+(?:\.\d+)?)\)?")
_NO_STATISTIC = "skipped: none of med, avg, p(90), p(95) and p(99) is in it; add them to --summary-trend-stats"
#: The built-in trends, all of time; the contents of a custom trend are only in `handleSummary`.
_TIMES = re.compile(r"(?:http_req|ws|grpc|browser|iteration|group|websocket)_\w+")
#: Browser metrics that are no time.
_NO_TIMES = frozenset({"browser_web_vital_cls"})
_COUNTED = {"http": "http_reqs", "iteration": "iterations"}


class _Metric(Struct):
    values: dict[str, Any]
    contains: str | None = None
    type: str | None = None
    thresholds: dict[str, Any] = {}
    name: str = ""


class _Check(Struct):
    name: str
    passes: float
    fails: float


class _Checks(Struct):
    results: list[_Check] | None = None


class _Results(Struct):
    metrics: list[_Metric]
    checks: _Checks | None = None


class _Config(Struct):
    duration: float | None = None


class _Metadata(Struct):
    generated_at: str | None = None


class _Readable(Struct):
    """The machine-readable summary, without the keys that the guard has no use for."""

    results: _Results
    config: _Config
    metadata: _Metadata


class _Run(Struct):
    """A summary of any shape: its metrics by name, and each check that failed."""

    metrics: dict[str, _Metric]
    failed_checks: list[str]
    timestamp: str | None = None


def matches(document: Document) -> bool:
    """Return whether there are metrics among which are k6's own."""
    if "results" in document.keys and "config" in document.keys:
        return "k6_version" in keys_of(document.keys.get("metadata", b"0"))
    metrics = keys_of(document.keys.get("metrics", b"0"))
    return bool(_OWN & metrics.keys()) and (
        "root_group" in document.keys or "state" in document.keys or "vus" in metrics or "iterations" in metrics
    )


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield a bench for each metric of the system under test, and none for the load that was applied."""
    run = _readable(document) if "results" in document.keys else _by_name(document)
    failures = _failures(run)
    for name, metric in run.metrics.items():
        base, values = name.partition("{")[0], metric.values
        if base in _PART_NAMES:
            continue
        if base in _RATES:
            series = ImportedSeries(name=name, unit=_RATES[base], p50=_number(values, "rate", name), n=_count(values))
        elif _is_trend(metric):
            series = _trend(name, metric, run.metrics, options)
        else:
            continue
        yield msgspec.structs.replace(series, failures=failures, timestamp=run.timestamp)


def _by_name(document: Document) -> _Run:
    tables = document.decode(dict[str, msgspec.Raw])
    metrics = {name: _metric(table, name) for name, table in keys_of(tables.get("metrics", b"0")).items()}
    if not metrics:
        raise ImportFileError("missing, or no object", place="metrics")
    group = decode_json(tables["root_group"], Any) if "root_group" in tables else None
    return _Run(metrics=metrics, failed_checks=list(_failed_checks(group)))


def _metric(table: msgspec.Raw, name: str) -> _Metric:
    try:
        if "values" in keys_of(table):
            return decode_json(table, _Metric)
        values = decode_json(table, dict[str, Any])
    except ImportFileError as problem:
        raise ImportFileError(str(problem), place=f"metrics.{name}") from None
    thresholds = values.pop("thresholds", None)
    return _Metric(values=values, thresholds=thresholds if isinstance(thresholds, dict) else {})


def _failed_checks(group: object) -> Iterator[str]:
    """Yield the names of the checks that failed in a group and in its groups, which are lists or objects."""
    if not isinstance(group, dict):
        return
    for check in _members(group.get("checks")):
        if isinstance(check, dict) and _real(check.get("fails")):
            yield str(check.get("name", ""))
    for inner in _members(group.get("groups")):
        yield from _failed_checks(inner)


def _members(table: object) -> list[Any]:
    return list(table.values()) if isinstance(table, dict) else table if isinstance(table, list) else []


def _readable(document: Document) -> _Run:
    """Return the machine-readable summary in the terms of the others: rates from counts, passes from matches."""
    summary = document.decode(_Readable)
    duration_s = summary.config.duration
    for metric in summary.results.metrics:
        count, total, matches = (metric.values.get(key) for key in ("count", "total", "matches"))
        if metric.type == "counter" and isinstance(count, (int, float)) and duration_s:
            metric.values["rate"] = count / duration_s
        if isinstance(total, (int, float)) and isinstance(matches, (int, float)):
            metric.values |= {"passes": matches, "fails": total - matches}
    metrics = {metric.name: metric for metric in summary.results.metrics}
    checks = (summary.results.checks and summary.results.checks.results) or []
    if checks:
        passes, fails = (sum(getattr(check, key) for check in checks) for key in ("passes", "fails"))
        metrics[_CHECKS] = _Metric(values={"passes": passes, "fails": fails})
    failed = [check.name for check in checks if check.fails > 0]
    return _Run(metrics=metrics, failed_checks=failed, timestamp=summary.metadata.generated_at)


def _failures(run: _Run) -> Failures | None:
    """Return the failures of the whole run: the largest of the shares, with the text of all."""
    found: list[tuple[float, float, str]] = []
    for name, key, noun in ((_FAILED_REQUESTS, "passes", "requests"), (_CHECKS, "fails", "checks")):
        values = run.metrics[name].values if name in run.metrics else {}
        # A `true` of http_req_failed is a failed request, and a `true` of checks is a check that passed.
        failed = _real(values.get(key))
        if failed > 0:
            total = _real(values.get("passes")) + _real(values.get("fails"))
            names = f" ({', '.join(run.failed_checks[:3])})" if name == _CHECKS and run.failed_checks else ""
            found.append((failed, total, f"{failed:g} of {total:g} {noun} failed{names}"))
    limits = [
        (f"{name}: {limit}", _is_crossed(state))
        for name, metric in run.metrics.items()
        for limit, state in metric.thresholds.items()
    ]
    if crossed := [limit for limit, is_crossed in limits if is_crossed]:
        text = f"{len(crossed)} of {len(limits)} thresholds crossed ({', '.join(crossed[:3])})"
        found.append((len(crossed), len(limits), text))
    if not found:
        return None
    failed, total, _ = max(found, key=lambda item: item[0] / item[1])
    return Failures(failed=failed, total=total, problem="; ".join(text for *_, text in found))


def _is_crossed(state: object) -> bool:
    """Return whether a threshold was crossed: `--summary-export` has true for that, `handleSummary` an `ok`."""
    return state is True or (isinstance(state, dict) and state.get("ok") is False)


def _is_trend(metric: _Metric) -> bool:
    """Return whether a metric is a trend; a counter has a rate, a gauge and a rate have a value."""
    if metric.type is not None:
        return metric.type == "trend"
    keys = metric.values.keys()
    return bool(keys) and not keys & {"rate", "value", "passes"}


def _trend(name: str, metric: _Metric, metrics: Mapping[str, _Metric], options: ImportOptions) -> ImportedSeries:
    base, brace, tags = name.partition("{")
    is_time = metric.contains == "time" or (
        metric.contains is None and bool(_TIMES.fullmatch(base)) and base not in _NO_TIMES
    )
    unit = "ms" if is_time else options.unit or ""
    statistics = _statistics(metric.values, name)
    p50, p95, mean = (statistics.get(key) for key in ("p50", "p95", "mean"))
    if p50 is None and p95 is None and mean is None:
        # A summary of the guard has no p99, so the highest percentile is a figure of its own.
        if not statistics:
            return ImportedSeries(name=name, unit=unit, skipped=_NO_STATISTIC)
        key = max(statistics, key=lambda key: float(key[1:]))
        name, p50 = f"{name} p({key[1:]})", statistics[key]
    phases = None
    if base == _WHOLE:
        parts = {part: metrics.get(f"http_req_{part}{brace}{tags}") for part in _PARTS}
        found = {part: _statistics(item.values, part) for part, item in parts.items() if item is not None}
        phases = {part: (item["p50"], item["p95"]) for part, item in found.items() if {"p50", "p95"} <= item.keys()}
    counter = metrics.get(_COUNTED.get(base.partition("_")[0], ""))
    n = _count(metric.values) if "count" in metric.values else 0
    return ImportedSeries(
        name=name,
        unit=unit,
        p50=p50,
        p95=p95,
        mean=mean if p50 is None else None,
        n=max(1, n or (_count(counter.values) if counter is not None and not brace else 1)),
        phases=phases,
    )


def _statistics(values: Mapping[str, Any], name: str) -> dict[str, float]:
    """Return the statistics of a trend by the names `mean`, `p50`, `p95` and so on; a minimum and a maximum are not."""
    found: dict[str, float] = {}
    for key, value in values.items():
        percentile = _PERCENTILE.fullmatch(key)
        ours = {"avg": "mean", "med": "p50"}.get(key) or (f"p{float(percentile[1]):g}" if percentile else None)
        if ours is not None and value is not None:
            found[ours] = _number(values, key, name)
    return found


def _number(values: Mapping[str, Any], key: str, name: str) -> float:
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ImportFileError("missing, or no number", place=f"metrics.{name}.{key}")
    return float(value)


def _real(value: object) -> float:
    """Return a count, or 0 where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return 0.0
    return max(0.0, float(value))


def _count(values: Mapping[str, Any]) -> int:
    return max(1, int(_real(values.get("count"))))
