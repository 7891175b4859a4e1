"""Measuring: plans, pinned worker processes, samples, and the interface that benches implement."""

from __future__ import annotations

from aether_harness.__about__ import __version__
from aether_harness.bench import Benchmark, Place, Sampled, Session
from aether_harness.error import BenchError, HarnessError, RoundError, UsageError
from aether_harness.parameter import ByteCount

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
]
