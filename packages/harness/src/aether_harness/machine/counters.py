"""Read the kernel's counters around a sample: context switches, CPU time, steal."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from time import process_time_ns, thread_time_ns
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_harness.machine.affinity import allowed_cpus
from aether_harness.machine.schedstat import open_reader, total
from aether_harness.machine.steal import ProcStat, StealMeter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

    from aether_harness.machine.schedstat import SchedStats, SchedStatsReader

if sys.platform != "win32":
    import resource

HAS_THREAD_RUSAGE = hasattr(sys.modules.get("resource"), "RUSAGE_THREAD")


class Counters(Struct, frozen=True):
    """The counters at one moment; the evidence about a sample is the difference of two."""

    involuntary: int
    voluntary: int
    cpu_ns: int
    process_cpu_ns: int


class CounterReader:
    """Reads the counters of the calling thread, its children, and the bench's companion processes.

    Use it as a context manager: leaving it closes the system's files that it reads.
    """

    def __init__(self, companions: Sequence[int] = (), cpus: Sequence[int] = ()) -> None:
        """Watch the processes `companions` too, and steal on `cpus`, which are this process's own.

        `own_schedule()` returns the scheduler's counters of this process's main thread, and `companions()` those of the
        companions; it is None without any. `shared_cpu` is true if a companion runs on the same CPUs. `steal` is None
        if the system does not report it.
        """
        self._opened = ExitStack()
        self.own_schedule = open_reader(os.getpid(), self._opened).read
        self.companions = companions_reader([open_reader(pid, self._opened) for pid in companions])
        self.shared_cpu = bool(cpus) and any(allowed_cpus(pid) == sorted(cpus) for pid in companions)
        self.steal = self._steal_meter(cpus)

    def _steal_meter(self, cpus: Sequence[int]) -> StealMeter | None:
        if sys.platform != "linux" or not cpus:
            return None
        try:
            file = ProcStat(cpus)
        except OSError:
            return None
        self._opened.callback(file.close)
        return StealMeter(file.read_ns, file.tick_ns)

    def __enter__(self) -> Self:
        """Be closed by the end of a `with`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the open files."""
        self._opened.close()

    def counters(self) -> Counters:
        """Return the thread's counters and its process's CPU time: three system calls, about a microsecond."""
        if HAS_THREAD_RUSAGE:
            own = resource.getrusage(resource.RUSAGE_THREAD)
            return Counters(own.ru_nivcsw, own.ru_nvcsw, thread_time_ns(), process_time_ns())
        import psutil

        switches = psutil.Process().num_ctx_switches()
        own_ns = thread_time_ns()
        # Windows' clocks are too coarse to separate the other threads of the process from this one.
        process_ns = own_ns if sys.platform == "win32" else process_time_ns()
        return Counters(switches.involuntary, switches.voluntary, own_ns, process_ns)

    def children_involuntary(self) -> int:
        """Return how often the CPU was taken from children that were waited for."""
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_nivcsw if sys.platform != "win32" else 0


def companions_reader(schedules: Sequence[SchedStatsReader]) -> Callable[[], SchedStats] | None:
    """Return a function that reads the counters of all companions, or None without any."""
    if len(schedules) == 1:
        return schedules[0].read
    return (lambda: total([schedule.read() for schedule in schedules])) if schedules else None


def peak_memory_bytes() -> int | None:
    """Return the peak memory of this process in bytes, or None if the system does not report it."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            # Not ru_maxrss: it includes the process that this one was forked from.
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        pass
    import psutil

    try:
        memory = psutil.Process().memory_info()
        return int(getattr(memory, "peak_wset", memory.rss))
    except psutil.Error:
        return None
