"""pytest-benchmark's JSON, in seconds, which `pytest-benchmark compare` reads. Only durations have a place there."""

from __future__ import annotations

import math
import platform
from typing import TYPE_CHECKING, Any

from aether_formats.errors import FormatError
from aether_schema import printable, quantile
from aether_schema.json_text import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_schema import Summary

_MS_A_SECOND = 1000


def render(summaries: Sequence[Summary]) -> str:
    """Return one report of all the benches.

    Raises:
        FormatError: a bench is no duration, or has no median.

    """
    benches = [_bench(summary) for summary in summaries]
    newest = max(summaries, key=lambda summary: summary.measured_at)
    report = {
        "machine_info": {"node": "", "machine": "", "processor": "", "system": platform.system(), **_machine(newest)},
        "commit_info": {"id": newest.commit or "unversioned", "dirty": False},
        "benchmarks": benches,
        "datetime": newest.measured_at.isoformat(),
        "version": "5.1.0",
    }
    return to_json(report, indent=4)


def _bench(summary: Summary) -> dict[str, Any]:
    if summary.metric != "duration_ms":
        problem = f"a {summary.metric} in {summary.unit} has no place in pytest-benchmark's files, which hold seconds"
        raise FormatError(printable(f"{summary.bench_id}: {problem}"))
    if summary.statistic("p50") is None:
        problem = "it holds no median, which pytest-benchmark's files need"
        raise FormatError(printable(f"{summary.bench_id}: {problem}"))
    return {
        "group": None,
        "name": summary.bench_id.rpartition("::")[2] or summary.bench_id,
        "fullname": summary.bench_id,
        "params": summary.params,
        "param": None,
        "extra_info": {},
        "options": {
            "disable_gc": False,
            "timer": "perf_counter",
            "min_rounds": 1,
            "max_time": 1.0,
            "min_time": 0.0,
            "warmup": False,
        },
        "stats": _stats(summary),
    }


def _stats(summary: Summary) -> dict[str, Any]:
    """Return the statistics, of the samples where there are any, and else of the two quantiles that are known."""
    samples = [value / _MS_A_SECOND for values in summary.samples or () for value in values]
    values = samples or [summary.p50 / _MS_A_SECOND, summary.p95 / _MS_A_SECOND]
    median = quantile(samples, 0.5) if samples else summary.p50 / _MS_A_SECOND
    mean = math.fsum(values) / len(values) if samples else median
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / max(1, len(values) - 1))
    quarters = [quantile(values, 0.25), quantile(values, 0.75)]
    reach = 1.5 * (quarters[1] - quarters[0])
    inside = [value for value in values if quarters[0] - reach <= value <= quarters[1] + reach] or values
    beyond = sum(abs(value - mean) > deviation for value in values)
    stats = {
        "min": min(values),
        "max": max(values),
        "mean": mean,
        "stddev": deviation if samples else 0.0,
        "rounds": summary.n,
        "median": median,
        "iqr": quarters[1] - quarters[0],
        "q1": quarters[0],
        "q3": quarters[1],
        "iqr_outliers": len(values) - len(inside),
        "stddev_outliers": beyond,
        "outliers": f"{beyond};{len(values) - len(inside)}",
        "ld15iqr": min(inside),
        "hd15iqr": max(inside),
        "ops": 1 / mean if mean else 0.0,
        "total": math.fsum(samples) if samples else mean * summary.n,
        "iterations": summary.iterations or 1,
    }
    return {**stats, "data": samples} if samples else stats


def _machine(summary: Summary) -> dict[str, Any]:
    environment = summary.environment or {}
    keys = {
        "system": "os",
        "machine": "machine",
        "python_version": "python",
        "python_implementation": "python_implementation",
    }
    known = {theirs: environment[ours] for theirs, ours in keys.items() if isinstance(environment.get(ours), str)}
    cpu = environment.get("cpu_model")
    return {**known, "cpu": {"brand_raw": cpu}} if isinstance(cpu, str) else known
