"""Take one sample: the timed region, the counters around it, and the reference kernel before and after."""

from __future__ import annotations

import gc
import math
import os
from itertools import repeat
from time import perf_counter_ns
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from aether_harness.benchmark.protocol import PreparesSamples, SampleResult, WakesCompanions
from aether_harness.errors import BenchError
from aether_harness.machine.counters import Counters
from aether_harness.machine.schedstat import SchedStats
from aether_harness.measure.disturbance import DisturbanceEvidence
from aether_harness.worker.protocol import SampleTaken
from aether_schema import quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aether_harness.benchmark.protocol import Session
    from aether_harness.machine.counters import CounterReader
    from aether_schema import Metric

#: A shorter operation is repeated within a sample until the sample takes BATCH_NS.
SHORT_NS = 1_000_000
BATCH_NS = 5_000_000
MAX_ITERATIONS = 2**20
_CALIBRATIONS = 3
#: The second kernel is timed once per this number of samples.
CROSS_CHECK_EVERY = 2
#: A reference timing that exceeds the other one of its sample by a larger ratio is ignored.
OUTLIER_RATIO = 1.3
#: A younger reference timing need not be repeated.
REFERENCE_MAX_AGE_NS = 2_000_000
#: Results of a call whose code has not run: their name, and how to run them.
_NOT_RUN = {
    GeneratorType: ("a generator", "iterate over it"),
    AsyncGeneratorType: ("an async generator", "iterate over it"),
    CoroutineType: ("a coroutine", "await it"),
}


class ReferenceWork(NamedTuple):
    """The work of the reference kernel and of the kernel that cross-checks it."""

    reference: Callable[[], int]
    cross_reference: Callable[[], int]


class TimedCall(Struct, frozen=True, kw_only=True):
    """The duration and results of one sample's operation, with the counters before and after it.

    `own` counts the sampling thread. `companions` are None without companions. `delay_ns` is None unless the thread is
    known to block. `children_switches` counts the involuntary switches of children that ended during the sample.
    """

    elapsed_ns: int
    answers: list[SampleResult]
    own: tuple[Counters, Counters]
    children_switches: int
    companions: tuple[SchedStats | None, SchedStats | None]
    delay_ns: int | None


class Sampler:
    """Sampler of one open session."""

    def __init__(
        self, session: Session, metric: Metric, references: ReferenceWork | None, counter_reader: CounterReader
    ) -> None:
        """Sample `session`, time the kernels `references` next to it if any, and read its counters."""
        self._session = session
        self._references_ns: list[int] = []
        self._cross_ratios: list[float] = []
        self._after_ns = 0
        self._fresh_until = -1
        self._metric = metric
        self._references = references
        self._counter_reader = counter_reader
        self._steal = counter_reader.steal
        self._prepare = session.prepare if isinstance(session, PreparesSamples) else None
        self._wake = session.wake if isinstance(session, WakesCompanions) else None
        self._children = counter_reader.children_involuntary()
        self._forked = False
        self._is_stray_child = False
        self._keep_results = False
        # A session that blocked once is assumed to block again. The delay between wake-up and running is then evidence
        # too, unless a companion shares the CPU.
        self._has_blocked = False
        self.iterations = 1
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_parent=self._note_fork, after_in_child=self._on_fork_in_child)

    def calibrate(self, iterations: int | None) -> None:
        """Set the iterations per sample: the given number, or enough to exceed the noise of the clock."""
        # Take the shortest of a few calls, because the first is slow.
        calls = [self._timed() for _ in range(_CALIBRATIONS if iterations is None else 1)]
        self._keep_results = bool(calls[-1].answers)
        shortest_ns = max(1, min(timed.elapsed_ns for timed in calls))
        if iterations is not None:
            self.iterations = iterations
        elif shortest_ns < SHORT_NS and self._prepare is None:
            self.iterations = min(MAX_ITERATIONS, 2 ** math.ceil(math.log2(BATCH_NS / shortest_ns)))

    def take(self) -> SampleTaken:
        """Take one sample.

        Raises:
            BenchError: the session lacks a result that its metric needs, or it forked.

        """
        gc.collect(1)
        steal = self._steal
        began = perf_counter_ns()
        if steal is not None:
            steal.begin(began)
        if self._wake is not None:
            self._wake()
        references = self._references
        reference_ms = drift = None
        before = references_ns = 0
        if references is not None:
            # The reference after the last sample serves as the reference before this one if it is recent.
            if began <= self._fresh_until:
                before = self._after_ns
            else:
                before = references_ns = time_ns(references.reference)
        timed = self._timed()
        ended = perf_counter_ns()
        if references is not None:
            references.reference()
            started, ended = ended, perf_counter_ns()
            after = self._after_ns = ended - started
            self._fresh_until = ended + REFERENCE_MAX_AGE_NS
            references_ns += after
            reference_ms, drift = reference_ns(before, after) / 1e6, after / before
            if len(self._references_ns) % CROSS_CHECK_EVERY == 0:
                cross = time_ns(references.cross_reference)
                references_ns += cross
                self._cross_ratios.append(cross / after)
            self._references_ns.append(after)
        answers = timed.answers
        elapsed_ns = timed.elapsed_ns
        return SampleTaken(
            value=metric_value(elapsed_ns, self.iterations, answers, self._metric),
            reference_ms=reference_ms,
            reference_total_ns=references_ns,
            evidence=evidence_of(
                timed, None if steal is None else steal.end(ended), drift, shared_cpu=self._counter_reader.shared_cpu
            ),
            phases_ns=mean_phases(answers) if answers else {},
        )

    def cross_reference_ms(self) -> float | None:
        """Return the typical time of the second kernel in ms, or None if it was not timed.

        This is the median ratio to the reference timed just before it, times the median reference: ratios within one
        moment vary less than times.
        """
        if not self._cross_ratios:
            return None
        return quantile(self._cross_ratios, 0.5) * quantile(self._references_ns, 0.5) / 1e6

    def _timed(self) -> TimedCall:
        """Do the operation `iterations` times between two readings of the clock."""
        sample, iterations = self._session.sample, self.iterations
        counters, read_companions = self._counter_reader.counters, self._counter_reader.companions
        if self._prepare is not None:
            self._prepare()
            self._new_children_switches()
        results: list[object] = []
        children_switches = 0
        delay = self._own_delay_ns()
        companions = read_companions and read_companions()
        gc.disable()
        try:
            if iterations == 1:
                counted = counters()
                started = perf_counter_ns()
                result = sample()
                ended = perf_counter_ns()
                counted_after = counters()
                if result is not None:
                    results = [result]
                    _require_run(result)
            elif self._keep_results:
                counted = counters()
                started = perf_counter_ns()
                results = [sample() for _ in repeat(None, iterations)]
                ended = perf_counter_ns()
                counted_after = counters()
            else:
                # Drop each result at once: a million kept results would be a load of their own.
                counted = counters()
                started = perf_counter_ns()
                for _ in repeat(None, iterations):
                    sample()
                ended = perf_counter_ns()
                counted_after = counters()
        finally:
            gc.enable()
            if self._is_stray_child:
                os._exit(0)  # a child of the bench must not become a second worker
        if self._forked:
            raise BenchError("sample() forked this process; start others with subprocess, or spawn them")
        companions_after = read_companions and read_companions()
        delay_after = self._own_delay_ns()
        # A thread that started a child has blocked at least once to wait for it.
        if counted.voluntary != counted_after.voluntary:
            self._has_blocked = not self._counter_reader.shared_cpu
            children_switches = self._new_children_switches()
        answers = [result for result in results if isinstance(result, SampleResult)]
        return TimedCall(
            elapsed_ns=(self_reported_ns(answers) if answers else 0) or ended - started,
            answers=answers,
            own=(counted, counted_after),
            children_switches=children_switches,
            companions=(companions, companions_after),
            delay_ns=_difference(delay, delay_after),
        )

    def _own_delay_ns(self) -> int | None:
        """Return the time for which this thread was ready without a CPU, or None if it is not known to block."""
        return self._counter_reader.own_schedule().run_delay_ns if self._has_blocked else None

    def _new_children_switches(self) -> int:
        """Return the involuntary switches of children that ended since the last call."""
        # Only `prepare` waits for children between samples.
        known, self._children = self._children, self._counter_reader.children_involuntary()
        return self._children - known

    def _note_fork(self) -> None:
        self._forked = True

    def _on_fork_in_child(self) -> None:
        self._is_stray_child = True


def _require_run(result: object) -> None:
    """Reject a result whose code has not run.

    Raises:
        BenchError: the result is a generator or a coroutine.

    """
    if type(result) in _NOT_RUN:
        kind, remedy = _NOT_RUN[type(result)]
        raise BenchError(f"sample() returned {kind}, whose code has not run: {remedy} in the bench")


def reference_ns(before: int, after: int) -> float:
    """Return the reference of a sample: the mean of the timings before and after, or the smaller if they disagree.

    A timing far longer than the other was itself disturbed and carries no information about the sample.
    """
    smaller, larger = (before, after) if before < after else (after, before)
    return smaller if larger > OUTLIER_RATIO * smaller else (smaller + larger) / 2


def time_ns(work: Callable[[], object]) -> int:
    """Return the duration of `work` in nanoseconds."""
    started = perf_counter_ns()
    work()
    return perf_counter_ns() - started


def freeze_heap() -> None:
    """Exclude the objects of the set-up from garbage collection, so that it is cheap between samples."""
    gc.collect()
    gc.freeze()


def evidence_of(
    timed: TimedCall, steal_ns: int | None, reference_drift: float | None, *, shared_cpu: bool
) -> DisturbanceEvidence:
    """Return the evidence of disturbance from the counters, the steal time and the drift of the reference."""
    before, after = timed.own
    others, others_after = timed.companions
    switches = after.involuntary - before.involuntary + timed.children_switches
    cpu_ns = delay_ns = None
    if others is not None and others_after is not None:
        switches += others_after.involuntary - others.involuntary
        cpu_ns = _difference(others.cpu_ns, others_after.cpu_ns)
        delay_ns = _difference(others.run_delay_ns, others_after.run_delay_ns)
    return DisturbanceEvidence(
        elapsed_ns=timed.elapsed_ns,
        involuntary_switches=switches,
        voluntary_switches=after.voluntary - before.voluntary,
        cpu_ns=after.cpu_ns - before.cpu_ns,
        delay_ns=timed.delay_ns,
        steal_ns=steal_ns,
        own_others_ns=max(0, after.process_cpu_ns - before.process_cpu_ns - (after.cpu_ns - before.cpu_ns)),
        companion_cpu_ns=cpu_ns,
        companion_delay_ns=delay_ns,
        shared_cpu=shared_cpu,
        reference_drift=reference_drift,
    )


def _difference(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before


def metric_value(elapsed_ns: int, iterations: int, answers: Sequence[SampleResult], metric: Metric) -> float:
    """Return the figure of a sample of `iterations` that took `elapsed_ns` in total.

    Raises:
        BenchError: the metric is a throughput and an iteration did not report its bytes.

    """
    if answers and (costs := [answer.cost for answer in answers if answer.cost is not None]):
        return sum(costs) / len(costs)
    if metric == "duration_ms":
        return elapsed_ns / iterations / 1e6
    moved_bytes = [answer.moved_bytes for answer in answers if answer.moved_bytes]
    if len(moved_bytes) != iterations:
        raise BenchError("sample() did not return the bytes it moved (SampleResult.moved_bytes)")
    return sum(moved_bytes) / max(elapsed_ns, 1) * 1e3


def self_reported_ns(answers: list[SampleResult]) -> int:
    """Return the total `elapsed_ns` that the results report, or 0.

    Raises:
        BenchError: a reported value is not a count, or a cost is not a positive number.

    """
    total = 0
    for answer in answers:
        counts = (("moved_bytes", answer.moved_bytes), ("elapsed_ns", answer.elapsed_ns), *answer.phases_ns.items())
        for name, count in counts:
            if count is not None and (not isinstance(count, int) or count < 0):
                raise BenchError(f"sample(): {name} is {count!r}, not a count")
        cost = answer.cost
        if cost is not None and not (isinstance(cost, (int, float)) and 0 < cost < math.inf):
            raise BenchError(f"sample(): cost is {cost!r}, not a positive number")
        total += answer.elapsed_ns or 0
    return total


def mean_phases(results: list[SampleResult]) -> dict[str, int]:
    """Return the mean of each phase per iteration, in nanoseconds."""
    totals: dict[str, int] = {}
    for result in results:
        for name, elapsed_ns in result.phases_ns.items():
            totals[name] = totals.get(name, 0) + elapsed_ns
    return {name: total // len(results) for name, total in totals.items()}
