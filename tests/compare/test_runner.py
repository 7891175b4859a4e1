"""Where the measuring is done, and where all else."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import pytest

from aether_compare.progress import NullProgress
from aether_compare.runner import measure, measurement_settings
from aether_compare.scheduler import Comparison
from aether_compare.settings import Variant, VariantPair
from aether_compare.stats.sequential_test import TestSpec
from aether_compare.variants import comparison_spec
from aether_harness.discovery.locator import FileAddress
from aether_harness.machine.affinity import allowed_cpus, pin_thread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BENCH = """
from aether_harness import bench

@bench
def count():
    sum(range(20_000))
"""


@pytest.fixture
def all_cpus() -> Iterator[list[int]]:
    """Give this thread back the CPUs that a comparison takes from it."""
    before = allowed_cpus() or []
    yield before
    pin_thread(before)


class WhoIsWhere(NullProgress):
    """Looks, at every bet, where this thread may run, and where those that were not there before it."""

    def __init__(self) -> None:
        self.known = set(os.listdir("/proc/self/task"))
        self.asking: set[frozenset[int]] = set()
        self.others: set[frozenset[int]] = set()

    def pairs_added(self, comparison: Comparison, left_s: float) -> None:
        del comparison, left_s
        self.asking.add(frozenset(os.sched_getaffinity(0)))
        for thread in set(os.listdir("/proc/self/task")) - self.known:
            with suppress(ProcessLookupError):  # it has ended meanwhile
                self.others.add(frozenset(os.sched_getaffinity(int(thread))))


@pytest.mark.skipif(len(allowed_cpus() or ()) < 2 or sys.platform != "linux", reason="needs Linux and two CPUs")
def test_who_asks_shares_the_workers_cpu_while_all_else_is_done_on_others(tmp_path: Path, all_cpus: list[int]) -> None:
    (tmp_path / "benches.py").write_text(BENCH, encoding="utf-8")
    old, new = (
        Variant(
            side=side,
            python=sys.executable,
            folder=str(tmp_path),
            address=FileAddress(str(tmp_path / "benches.py"), "count"),
            params=msgspec.Raw(b"{}"),
        )
        for side in ("old", "new")
    )
    match = VariantPair(bench_id="count", metric="duration_ms", unit="ms", sides=(old, new))
    comparison = Comparison(comparison_spec(match, TestSpec()))
    *others, last = all_cpus
    where = WhoIsWhere()
    measure([(comparison, match)], measurement_settings((), 30), seed=1, budget_s=0.5, watcher=where)
    assert comparison.problem is None
    assert where.asking == {frozenset({last})}
    assert where.others == {frozenset(others)}
    assert allowed_cpus() == others
