"""Many uploads at once: in a closed loop, as fast as the connections go, or an open one, by a schedule.

In an open loop, uploads are due at fixed times, independent of earlier ones. The time of an upload runs from its due
time, so that waiting for a free connection is included (Tene, "How NOT to Measure Latency", 2013: coordinated omission
hides the stall of a server that is asked less while it stalls).
"""

from __future__ import annotations

import threading
import time
from itertools import count
from time import perf_counter_ns
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_schema import quantile
from aether_stream_bench.uploads import UploadResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

#: A thread here waits and sends; it needs no megabytes of stack.
STACK_BYTES = 2**18
_NS = 1e9
#: Sleeping is not exact: the last stretch before an upload is due is waited out awake.
SPIN_S = 0.0002


class TimedUpload(Struct, frozen=True):
    """One upload: when it was due, began and ended, in nanoseconds of one clock, and how it went."""

    due_ns: int
    began_ns: int
    ended_ns: int
    uploaded: UploadResult


class UploadThreads:
    """Threads that upload, a connection each."""

    def __init__(self, uploads: Sequence[Callable[[], UploadResult]]) -> None:
        """Have a thread for each of `uploads`, a function that uploads once."""
        from concurrent.futures import ThreadPoolExecutor

        self._uploads = uploads
        before = threading.stack_size(STACK_BYTES)
        try:
            self._pool = ThreadPoolExecutor(len(uploads), thread_name_prefix="upload")
            # All of them are there before anything is timed.
            barrier = threading.Barrier(len(uploads) + 1)
            for _ in uploads:
                self._pool.submit(barrier.wait)
            barrier.wait()
        finally:
            threading.stack_size(before)

    def __enter__(self) -> Self:
        """End the threads at the end of a `with`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the threads."""
        self._pool.shutdown(cancel_futures=True)

    def run(self, number: int, rate: float | None = None) -> list[TimedUpload]:
        """Upload `number` times in all, at `rate` a second or as fast as it goes; the first failure ends it."""
        numbers = count()
        began = perf_counter_ns()
        failed = threading.Event()

        def work(upload: Callable[[], UploadResult]) -> list[TimedUpload]:
            done = []
            while not failed.is_set() and (turn := next(numbers)) < number:
                due = began + int(turn / rate * _NS) if rate else perf_counter_ns()
                wait_until(due)
                started = perf_counter_ns()
                try:
                    uploaded = upload()
                except BaseException:
                    failed.set()
                    raise
                done.append(TimedUpload(due, started, perf_counter_ns(), uploaded))
            return done

        futures = [self._pool.submit(work, upload) for upload in self._uploads]
        return [timed for future in futures for timed in future.result()]


def wait_until(due_ns: int) -> None:
    """Sleep until a moment of the performance counter, and be awake when it comes."""
    while (left_s := (due_ns - perf_counter_ns()) / _NS) > 0:
        if left_s > SPIN_S:
            time.sleep(left_s - SPIN_S)


def aggregate_phases(timed: Sequence[TimedUpload], *, scheduled: bool) -> dict[str, int]:
    """Return the phases of a sample of several uploads: the means of theirs, and the median and tail of the whole.

    `upload` lasts from the start of an upload to its end; with a schedule, `latency` starts at the due time.
    """
    totals: dict[str, int] = {}
    for each in timed:
        for name, elapsed_ns in each.uploaded.phases_ns.items():
            totals[name] = totals.get(name, 0) + elapsed_ns
    phases = {name: total // len(timed) for name, total in totals.items()}
    spans = {"upload": [each.ended_ns - each.began_ns for each in timed]}
    if scheduled:
        spans["latency"] = [each.ended_ns - each.due_ns for each in timed]
    for name, values in spans.items():
        phases[name] = int(quantile(values, 0.5))
        phases[f"{name}_p99"] = int(quantile(values, 0.99))
    return phases
