"""Times the bookkeeping around a sample and the overhead in the timed region: `hatch run bench:sample-cost`.

The bookkeeping of a sample is the time of `Sampler.take` without the references, the garbage collection and the
operation itself. It is measured first without references, which is the cost of the code, and then with the real ones,
so that the caches are in the state of a round.
"""

from __future__ import annotations

import gc
import tempfile
from contextlib import ExitStack
from statistics import median
from time import perf_counter_ns
from typing import TYPE_CHECKING, TypeVar

from aether_harness import RoundContext
from aether_harness.machine.affinity import allowed_cpus, assign_cpus, pin
from aether_harness.machine.counters import CounterReader
from aether_harness.reference.kernels import DEFAULT_KERNEL, KERNELS
from aether_harness.worker.sampler import ReferenceWork, Sampler, freeze_heap, time_ns
from aether_stream_bench.bench import StreamParams, streaming

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aether_harness.benchmark.protocol import Session

ResultT = TypeVar("ResultT")

SAMPLES = 5000
RUN = 100


class Stopwatch:
    """Adds up how long the rulers take, and its own doing around them."""

    def __init__(self) -> None:
        """Start at zero, once it is known how long it takes itself."""
        self.total_ns = 0
        self._own_ns = 0
        nothing = self.around(int)
        whole_ns = [time_ns(nothing) for _ in range(SAMPLES)]
        clock_ns = [time_ns(int) for _ in range(SAMPLES)]
        self._own_ns = round(median(whole_ns) - median(clock_ns) - self.total_ns / SAMPLES)
        self.total_ns = 0

    def around(self, work: Callable[[], ResultT]) -> Callable[[], ResultT]:
        """Return `work`, timed."""

        def timed() -> ResultT:
            started = perf_counter_ns()
            result = work()
            self.total_ns += perf_counter_ns() - started + self._own_ns
            return result

        return timed


class EmptySession:
    """A sample that does nothing at all."""

    def __init__(self, companion_pids: tuple[int, ...] = ()) -> None:
        """Name companions, which have nothing to do either."""
        self.companion_pids = companion_pids

    def sample(self) -> None:
        """Do nothing."""

    def verify(self) -> None:
        """Claim nothing."""


def main() -> None:
    """Measure one kind of bench after the other and print."""
    assignment = assign_cpus(allowed_cpus())
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        place = RoundContext(
            folder=folder, worker_cpus=assignment.worker_cpus, companion_cpus=assignment.companion_cpus
        )
        upload = stack.enter_context(streaming.open(StreamParams(payload=1), place))
        pin(place.worker_cpus)
        sessions: dict[str, Session] = {
            "empty": EmptySession(),
            "empty, and a companion that sleeps": EmptySession(upload.companion_pids),
            "an upload of one byte to a companion": upload,
        }
        kernel = KERNELS[DEFAULT_KERNEL]
        works = [stack.enter_context(each.open(place)) for each in (kernel, KERNELS[kernel.cross_kernel_id])]
        freeze_heap()
        bare = ("empty, without rulers", EmptySession(), ())
        for name, session, beside in [bare, *((name, each, works) for name, each in sessions.items())]:
            elapsed_ns, around_ns = costs(session, beside, place)
            print(
                f"{name}: timed {median(elapsed_ns):,.0f} ns, book-keeping median {median(around_ns) / 1e3:.2f} us, "
                f"in the quietest {RUN} {quietest(around_ns) / 1e3:.2f} us, n {SAMPLES}"
            )
    clock_ns = [time_ns(int) for _ in range(SAMPLES)]
    print(f"the clock read twice around a call of the smallest kind: {median(clock_ns):,.0f} ns")


def costs(session: Session, works: Sequence[Callable[[], int]], place: RoundContext) -> tuple[list[int], list[int]]:
    """Return the reported time of each sample's operation, and its bookkeeping, in nanoseconds."""
    stopwatch = Stopwatch()
    witness = CounterReader(getattr(session, "companion_pids", ()), place.worker_cpus)
    if (wake := getattr(session, "wake", None)) is not None:
        session.wake = stopwatch.around(wake)  # type: ignore[attr-defined]
    rulers = ReferenceWork(*map(stopwatch.around, works)) if works else None
    sampler = Sampler(session, "duration_ms", rulers, witness)
    elapsed_ns, around_ns = [], []
    for _ in range(SAMPLES):
        gc.collect(1)
        # The sample collects too; there is as little left for it as there is for this.
        stopwatch.total_ns = time_ns(lambda: gc.collect(1))
        started = perf_counter_ns()
        taken = sampler.take()
        ended = perf_counter_ns()
        elapsed_ns.append(taken.evidence.elapsed_ns)
        around_ns.append(ended - started - stopwatch.total_ns - taken.evidence.elapsed_ns)
    return elapsed_ns, around_ns


def quietest(around_ns: Sequence[int]) -> float:
    """Return the smallest median over runs of samples: the time on an otherwise idle machine."""
    return min(median(around_ns[start : start + RUN]) for start in range(0, len(around_ns), RUN))


if __name__ == "__main__":
    main()
