"""Measuring: plans, pinned worker processes, samples, and the interface that benches implement."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from aether_harness.__about__ import __version__

if TYPE_CHECKING:
    from aether_harness.benchmark.decorator import bench
    from aether_harness.benchmark.parameters import ByteCount
    from aether_harness.benchmark.protocol import Benchmark, FigureValue, RoundContext, SampleResult, Session
    from aether_harness.errors import BenchError, HarnessError, RoundError, UsageError

__all__ = [
    "BenchError",
    "Benchmark",
    "ByteCount",
    "FigureValue",
    "HarnessError",
    "RoundContext",
    "RoundError",
    "SampleResult",
    "Session",
    "UsageError",
    "__version__",
    "bench",
]

#: The module of each name. A command takes requests to end before it imports more than it needs for that, and a process
#: that is started for every round has no use for the decorator.
_MODULES = {
    "BenchError": "errors",
    "Benchmark": "benchmark.protocol",
    "ByteCount": "benchmark.parameters",
    "FigureValue": "benchmark.protocol",
    "HarnessError": "errors",
    "RoundContext": "benchmark.protocol",
    "RoundError": "errors",
    "SampleResult": "benchmark.protocol",
    "Session": "benchmark.protocol",
    "UsageError": "errors",
    "bench": "benchmark.decorator",
}
#: Names of version 0.1.0, which plugins may still import.
_FORMER_NAMES = {"Place": "RoundContext", "Sampled": "SampleResult"}


def __getattr__(name: str) -> object:
    """Import a name when it is used."""
    name = _FORMER_NAMES.get(name, name)
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
