"""Bencher's metric format: durations as its measure `latency` in nanoseconds, others under the name of their unit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_schema import Summary

_NS_A_MS = 10**6


def render(summaries: Sequence[Summary]) -> str:
    """Return every bench's p50, or else its mean, and its p95 as a measure of its own."""
    benches = {}
    for summary in summaries:
        factor = _NS_A_MS if summary.metric == "duration_ms" else 1
        measure = "latency" if summary.metric == "duration_ms" else _slug(summary.unit)
        middle = summary.statistic("p50")
        figures = {
            measure: summary.statistic("mean") if middle is None else middle,
            f"{measure}-p95": summary.statistic("p95"),
        }
        benches[summary.bench_id] = {
            name: {"value": value * factor} for name, value in figures.items() if value is not None
        }
    return msgspec.json.format(msgspec.json.encode(benches), indent=2).decode() + "\n"


def _slug(unit: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", unit.lower()).strip("-") or "value"
