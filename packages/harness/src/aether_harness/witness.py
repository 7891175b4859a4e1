"""Reading what the kernel counts around a sample: context switches, CPU time, steal."""

from __future__ import annotations

import os
import sys
from time import thread_time_ns
from typing import TYPE_CHECKING, NamedTuple

import psutil

from aether_harness.affinity import allowed_cpus

if TYPE_CHECKING:
    from collections.abc import Sequence

if sys.platform != "win32":
    import resource

SEES_THREADS = hasattr(sys.modules.get("resource"), "RUSAGE_THREAD")
_STEAL_COLUMN = 8


class Counters(NamedTuple):
    """The counters at one moment; two of them make the evidence on what lies between."""

    involuntary: int
    voluntary: int
    cpu_ns: int


class Elsewhere(NamedTuple):
    """What is counted outside the sampling thread; the last two of companions only, where the kernel tells."""

    involuntary: int
    cpu_ns: int | None
    delay_ns: int | None


class Witness:
    """Reads the counters of the calling thread, its children, and the bench's companion processes."""

    def __init__(self, companions: Sequence[int] = (), cpus: Sequence[int] = ()) -> None:
        """Watch the processes `companions` too, and steal on `cpus`, which are this process's own.

        `shared_cpu` says whether a companion runs on the same ones.
        """
        self._companions = [psutil.Process(pid) for pid in companions]
        self.shared_cpu = bool(cpus) and any(allowed_cpus(pid) == sorted(cpus) for pid in companions)
        self._steal = _StealReader(cpus) if sys.platform == "linux" and cpus else None

    def counters(self) -> Counters:
        """Return the thread's counters: a few system calls, about a microsecond."""
        if SEES_THREADS:
            own = resource.getrusage(resource.RUSAGE_THREAD)
            return Counters(own.ru_nivcsw, own.ru_nvcsw, thread_time_ns())
        switches = psutil.Process().num_ctx_switches()
        return Counters(switches.involuntary, switches.voluntary, thread_time_ns())

    def elsewhere(self) -> Elsewhere:
        """Return what is counted outside the thread: of finished children and of the companions."""
        switches = resource.getrusage(resource.RUSAGE_CHILDREN).ru_nivcsw if sys.platform != "win32" else 0
        cpu_ns, delay_ns = 0, 0
        for companion in self._companions:
            try:
                switches += companion.num_ctx_switches().involuntary
            except psutil.Error:
                continue  # it has ended, which is the bench's business
            spent = _schedule(companion.pid)
            if spent is None:
                return Elsewhere(switches, None, None)
            cpu_ns, delay_ns = cpu_ns + spent[0], delay_ns + spent[1]
        return Elsewhere(switches, cpu_ns, delay_ns) if self._companions else Elsewhere(switches, None, None)

    def steal_ns(self) -> int | None:
        """Return how long the hypervisor has kept the watched CPUs to itself since start-up."""
        return self._steal.read_ns() if self._steal else None


class _StealReader:
    """Reads the steal column of some CPUs from `/proc/stat`, in steps of a clock tick."""

    def __init__(self, cpus: Sequence[int]) -> None:
        self._names = {f"cpu{cpu}".encode() for cpu in cpus}
        self._tick_ns = 10**9 // os.sysconf("SC_CLK_TCK")
        # A CPU's line has at most some 200 bytes; the long lines of interrupts behind them are not wanted.
        self._wanted_bytes = 250 * ((os.cpu_count() or 1) + 1)

    def read_ns(self) -> int | None:
        try:
            descriptor = os.open("/proc/stat", os.O_RDONLY)
            try:
                lines = os.read(descriptor, self._wanted_bytes).splitlines()
            finally:
                os.close(descriptor)
            fields = [line.split() for line in lines]
            return sum(int(f[_STEAL_COLUMN]) for f in fields if f and f[0] in self._names) * self._tick_ns
        except (OSError, IndexError, ValueError):
            return None


def _schedule(pid: int) -> tuple[int, int] | None:
    """Return a process's CPU time and the time it was ready to run without a CPU, both in nanoseconds."""
    try:
        with open(f"/proc/{pid}/schedstat", "rb", buffering=0) as file:
            cpu_ns, delay_ns, _ = file.read(100).split()
    except (OSError, ValueError):
        return None
    return int(cpu_ns), int(delay_ns)


def peak_memory_bytes() -> int | None:
    """Return this process's memory high-water mark, or None where the system does not say."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            # Not ru_maxrss: that still remembers the process this one was forked from.
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        pass
    try:
        memory = psutil.Process().memory_info()
        return int(getattr(memory, "peak_wset", memory.rss))
    except psutil.Error:
        return None
