"""Measuring: plans, pinned worker processes, samples, and the interface that benches implement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aether_harness.__about__ import __version__
from aether_harness.error import BenchError, HarnessError, RoundError, UsageError
from aether_harness.parameter import ByteCount
from aether_harness.plugin import Benchmark, Place, Sampled, Session

if TYPE_CHECKING:
    from aether_harness.function import bench

__all__ = [
    "BenchError",
    "Benchmark",
    "ByteCount",
    "HarnessError",
    "Place",
    "RoundError",
    "Sampled",
    "Session",
    "UsageError",
    "__version__",
    "bench",
]


def __getattr__(name: str) -> object:
    """Import the decorator only for who decorates: processes that are started for every round have no use for it."""
    if name != "bench":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from aether_harness.function import bench

    return bench
