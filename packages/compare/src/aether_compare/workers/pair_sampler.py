"""Pairs of a bench: blocks of two fresh workers that take samples in turn.

Both workers of a block have the same memory layout, and every block has another one. The effect of the layout, often
larger than the change to detect, is then equal for both versions. Within a block the order alternates between pairs:
each version is measured as often after itself as after the other, and drift of the machine affects both.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Self

from aether_compare.pair import SamplePair
from aether_compare.settings import random_order
from aether_compare.workers.worker_pair import WorkerPair, Workplace
from aether_harness.discovery.locator import CommandAddress
from aether_harness.measure.disturbance import is_disturbed, typical_disturbance
from aether_harness.worker.layout import draw_layout
from aether_harness.worker.protocol import SampleTaken, TakeSample, Verified, Verify
from aether_schema import quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random
    from types import TracebackType

    from aether_compare.settings import MeasurementSettings, VariantPair
    from aether_harness.measure.disturbance import DisturbanceEvidence

#: A sample of a command is a process of its own, and so each pair is a block; their workers live longer.
COMMAND_PAIRS_PER_WORKER = 20
#: An even number of pairs has as many in either order.
MIN_PAIRS, MAX_PAIRS = 2, 200
#: The first block, before it is known how long anything takes.
FIRST_PAIRS = 4
#: The time for the pairs of a block relative to the time to start and end its workers. More pairs reduce the noise of
#: the mean, but a verdict takes at least 13 blocks.
PAIRS_SHARE = 0.75
#: Samples are verified in the first block and again after this number of pairs: it takes as long as some of them.
PAIRS_PER_VERIFICATION = 150
#: Pairs at the start of a block that do not count: a process's first samples find nothing in the caches.
WARM_UPS = 1
#: Samples that take longer than this do not show it.
LONG_SAMPLE_NS = 50_000_000
#: The same for a bench with a companion process: until the traffic between the two is steady, pairs vary two or three
#: times as much.
WARM_UPS_WITH_COMPANION = 5
WARM_UP_LIMIT_S = 0.5
#: The number of last samples that show the usual evidence of an operation.
EVIDENCE_WINDOW = 60


class PairSampler:
    """Both versions of one bench, measured in turn on the same CPU."""

    def __init__(
        self, match: VariantPair, terms: MeasurementSettings, draw: Random, pairs_per_block: int | None = None
    ) -> None:
        """Measure `match` by `terms`; `draw` decides orders and layouts.

        A block has `pairs_per_block`, or a number that suits the time that its workers take to start.
        """
        self._workplace = Workplace(match, terms)
        self._draw = draw
        self._pairs_per_block = pairs_per_block
        self._is_command = all(isinstance(side.address, CommandAddress) for side in match.sides)
        self._blocks = self._pairs = self._verified_until = 0
        self._start_s: list[float] = []
        self._pair_s: list[float] = []
        self._evidence: tuple[list[DisturbanceEvidence], list[DisturbanceEvidence]] = ([], [])

    def __enter__(self) -> Self:
        """Make the folder of the workers."""
        self._workplace.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove it."""
        self._workplace.__exit__(kind, error, trace)

    @property
    def bets_per_block(self) -> int:
        """How often the function that a block yields may be called."""
        return COMMAND_PAIRS_PER_WORKER if self._is_command else 1

    @contextmanager
    def open_block(self) -> Iterator[Callable[[], tuple[SamplePair, ...]]]:
        """Start a fresh worker of each version and yield a function that takes the pairs of one bet.

        Raises:
            GuardError: a version could not be set up, crashed, hung, or failed its verification; names it.

        """
        started = perf_counter()
        count = self._count()
        with WorkerPair(self._workplace, draw_layout(self._draw), random_order(self._draw)) as workers:
            self._warm_up(workers)
            opened = perf_counter()
            yield lambda: self._sample_block(workers, count)
            taken = perf_counter()
            if self._pairs >= self._verified_until:
                self._verified_until = self._pairs + PAIRS_PER_VERIFICATION
                workers.ask_both(Verify(), Verified, self._workplace.terms.timeout_s, "verification")
        self._start_s.append(opened - started + perf_counter() - taken)

    def _count(self) -> int:
        """Return the number of pairs of the next block, settled before it begins: no bet depends on its own pairs."""
        if self._is_command:
            return 1
        if self._pairs_per_block is not None:
            return self._pairs_per_block
        if not self._start_s:
            return FIRST_PAIRS
        pairs = PAIRS_SHARE * quantile(self._start_s, 0.5) / quantile(self._pair_s, 0.5)
        return min(max(2 * math.ceil(pairs / 2), MIN_PAIRS), MAX_PAIRS)

    def _warm_up(self, workers: WorkerPair) -> None:
        """Take the pairs of a block that do not count."""
        ends = perf_counter() + WARM_UP_LIMIT_S
        # An odd number in an order that turns, so that the block's first sample too comes after one of its own version.
        order = workers.order
        for _ in range(self._warm_ups):
            order = order[1], order[0]
            self._sample_both(workers, order)
            if perf_counter() > ends:
                return

    @property
    def _warm_ups(self) -> int:
        if self._is_command:
            return 0
        if any(evidence[-1].companion_cpu_ns is not None for evidence in self._evidence if evidence):
            return WARM_UPS_WITH_COMPANION
        last_ns = [evidence[-1].elapsed_ns for evidence in self._evidence if evidence]
        return 0 if min(last_ns, default=0) > LONG_SAMPLE_NS else WARM_UPS

    def _sample_block(self, workers: WorkerPair, count: int) -> tuple[SamplePair, ...]:
        started = perf_counter()
        order = random_order(self._draw) if self._is_command else workers.order
        pairs = []
        for _ in range(count):
            old, new = self._sample_both(workers, order)
            pairs.append(
                SamplePair(
                    old=old.value,
                    new=new.value,
                    new_first=order[0] == 1,
                    block=self._blocks,
                    disturbed=self._is_disturbed(old, new),
                )
            )
            order = order[1], order[0]
        self._blocks += 1
        self._pairs += count
        self._pair_s.append((perf_counter() - started) / count)
        return tuple(pairs)

    def _sample_both(self, workers: WorkerPair, order: tuple[int, int]) -> tuple[SampleTaken, SampleTaken]:
        limit_s = self._workplace.terms.timeout_s
        taken = {index: workers.ask(index, TakeSample(), SampleTaken, limit_s, "sample") for index in order}
        for index, evidence in enumerate(self._evidence):
            evidence.append(taken[index].evidence)
            del evidence[:-EVIDENCE_WINDOW]
        return taken[0], taken[1]

    def _is_disturbed(self, old: SampleTaken, new: SampleTaken) -> bool:
        """Return whether the CPU was taken from either; each version is judged by its own usual evidence."""
        return any(
            is_disturbed(taken.evidence, typical_disturbance(evidence))
            for taken, evidence in zip((old, new), self._evidence, strict=True)
        )
