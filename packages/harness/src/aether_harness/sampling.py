"""One sample: the timed region and the book-keeping around it."""

from __future__ import annotations

import gc
from time import perf_counter_ns
from typing import TYPE_CHECKING

from aether_harness.bench import Sampled
from aether_harness.error import BenchError
from aether_harness.protocol import Taken

if TYPE_CHECKING:
    from aether_harness.bench import Session
    from aether_schema import Metric

_NOTHING_TO_ADD = Sampled()


def freeze_heap() -> None:
    """Put what set-up made beyond the collector's reach, so that collecting between samples costs little."""
    gc.collect()
    gc.freeze()


def take_sample(session: Session, metric: Metric) -> Taken:
    """Time one call of `session.sample`, with the garbage collector held off during it.

    The figure is in the metric's unit: milliseconds, or megabytes (10^6 bytes) a second.

    Raises:
        BenchError: a throughput bench did not say how many bytes it moved.

    """
    gc.collect(1)
    gc.disable()
    try:
        started = perf_counter_ns()
        sampled = session.sample()
        ended = perf_counter_ns()
    finally:
        gc.enable()
    sampled = sampled or _NOTHING_TO_ADD
    return Taken(value=figure_of(ended - started, sampled.moved_bytes, metric), phases_ns=sampled.phases_ns)


def figure_of(elapsed_ns: int, moved_bytes: int | None, metric: Metric) -> float:
    """Return the figure of a sample that took `elapsed_ns` and moved `moved_bytes`.

    Raises:
        BenchError: the metric is a throughput and the bytes are not known.

    """
    if metric == "duration_ms":
        return elapsed_ns / 1e6
    if not moved_bytes:
        raise BenchError("sample() did not say how many bytes it moved (Sampled.moved_bytes)")
    return moved_bytes / max(elapsed_ns, 1) * 1e3
