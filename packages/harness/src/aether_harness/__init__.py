"""Measuring: plans, pinned worker processes, samples, and the interface that benches implement."""

from __future__ import annotations

from aether_harness.__about__ import __version__
from aether_harness.error import BenchError, HarnessError, RoundError, UsageError
from aether_harness.function import bench
from aether_harness.parameter import ByteCount
from aether_harness.plugin import Benchmark, Place, Sampled, Session

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
