"""Measuring: plans, pinned worker processes, samples, and the interface that benches implement."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from aether_harness.__about__ import __version__

if TYPE_CHECKING:
    from aether_harness.error import BenchError, HarnessError, RoundError, UsageError
    from aether_harness.function import bench
    from aether_harness.parameter import ByteCount
    from aether_harness.plugin import Benchmark, RoundContext, SampleResult, Session

__all__ = [
    "BenchError",
    "Benchmark",
    "ByteCount",
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
    "BenchError": "error",
    "Benchmark": "plugin",
    "ByteCount": "parameter",
    "HarnessError": "error",
    "RoundContext": "plugin",
    "RoundError": "error",
    "SampleResult": "plugin",
    "Session": "plugin",
    "UsageError": "error",
    "bench": "function",
}
#: Names of version 0.1.0, which plugins may still import.
_FORMER_NAMES = {"Place": "RoundContext", "Sampled": "SampleResult"}


def __getattr__(name: str) -> object:
    """Import a name when it is used."""
    name = _FORMER_NAMES.get(name, name)
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
