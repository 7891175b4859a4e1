"""Times asking a worker for a sample, apart from the timed operation: `hatch run guard:ask-cost`.

Two workers are asked in turn, as in a comparison, for samples of an operation of a few milliseconds. The figure is the
time of an answer beyond the operation for each worker in the quietest run of samples.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from statistics import median
from time import perf_counter_ns

import msgspec

from aether_compare.runner import measurement_settings
from aether_harness import bench
from aether_harness.discovery.locator import FileAddress
from aether_harness.machine.affinity import pin_thread
from aether_harness.worker.client import WorkerClient
from aether_harness.worker.protocol import Open, Opened, SampleTaken, TakeSample

SAMPLES = 2000
RUN = 100


@bench
def spin() -> None:
    """Spin for about 2 ms."""
    ends = perf_counter_ns() + 2_000_000
    while perf_counter_ns() < ends:
        pass


def main() -> None:
    """Ask and print."""
    terms = measurement_settings((), 30)
    assignment = terms.assignment
    address = FileAddress(os.path.abspath(__file__), "spin")
    around_ns = []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        workers = [stack.enter_context(WorkerClient()) for _ in range(2)]
        for worker in workers:
            request = Open(
                address=address,
                params=msgspec.Raw(b"{}"),
                folder=folder,
                worker_cpus=assignment.worker_cpus,
                companion_cpus=assignment.companion_cpus,
                iterations=1,
                time_reference=False,
            )
            worker.request(request, Opened, 30)
        pin_thread(assignment.worker_cpus)
        for number in range(SAMPLES):
            started = perf_counter_ns()
            taken = workers[number % 2].request(TakeSample(), SampleTaken, 30)
            around_ns.append(perf_counter_ns() - started - taken.evidence.elapsed_ns)
    quietest = min(median(around_ns[start : start + RUN]) for start in range(0, SAMPLES, RUN))
    print(f"median {median(around_ns) / 1e3:.1f} us, in the quietest {RUN} {quietest / 1e3:.1f} us, n {SAMPLES}")


if __name__ == "__main__":
    main()
