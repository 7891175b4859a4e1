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
    """Return every bench's p50, and its p95 as a measure of its own."""
    benches = {}
    for summary in summaries:
        factor = _NS_A_MS if summary.metric == "duration_ms" else 1
        measure = "latency" if summary.metric == "duration_ms" else _slug(summary.unit)
        benches[summary.bench_id] = {
            measure: {"value": summary.p50 * factor},
            f"{measure}-p95": {"value": summary.p95 * factor},
        }
    return msgspec.json.format(msgspec.json.encode(benches), indent=2).decode() + "\n"


def _slug(unit: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", unit.lower()).strip("-") or "value"
