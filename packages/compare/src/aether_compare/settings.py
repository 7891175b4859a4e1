"""The versions to compare, the settings of the measurement, and errors that name the version at fault."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from aether_guard.errors import GuardError
from aether_harness.discovery.locator import BenchLocator
from aether_harness.machine.affinity import CpuAssignment
from aether_harness.worker.client import WorkerError
from aether_schema import Metric

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

_FAIR = 0.5


class Variant(Struct, frozen=True, kw_only=True):
    """One version of a bench: its name, and where and how a worker measures it.

    `changes` are the variables set for the worker on top of this process's environment.
    """

    side: str
    python: str
    folder: str
    changes: dict[str, str] = {}
    address: BenchLocator
    params: msgspec.Raw


class VariantPair(Struct, frozen=True, kw_only=True):
    """Two versions of one bench, the old and the new."""

    bench_id: str
    metric: Metric
    unit: str
    sides: tuple[Variant, Variant]


class MeasurementSettings(Struct, frozen=True, kw_only=True):
    """Settings for both versions. `timeout_s` bounds each step of a worker."""

    assignment: CpuAssignment
    timeout_s: float


def random_order(draw: Random) -> tuple[int, int]:
    """Draw which side comes first, the old one (0) or the new one (1)."""
    return (1, 0) if draw.random() < _FAIR else (0, 1)


@contextmanager
def error_context(bench_id: str, side: Variant, step: str) -> Iterator[None]:
    """Turn errors of a worker or the system into an error that names bench, version and step.

    Raises:
        GuardError: instead of the original error.

    """
    try:
        yield
    except WorkerError as error:
        raise GuardError(f"{bench_id}: {side.side}: {step}: {error}") from None
    except OSError as error:
        problem = (error.strerror or str(error)).lower()
        raise GuardError(f"{bench_id}: {side.side}: {step}: {problem}") from None
