"""What the scheduler counts of another process: CPU time and how long it was ready and had no CPU, or its switches.

On Linux these are its main thread's, from a file that is kept open: opening it costs more than reading it.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psutil

_SCHEDULE_BYTES = 100


class SchedStats(Struct, frozen=True):
    """What was counted of a process by now, as far as the system tells it; the last two in nanoseconds.

    Where it tells how long a process was ready and had no CPU, it is not asked how often the CPU was taken from it:
    that is the same loss, without its size, and takes seven times as long to read.
    """

    involuntary: int = 0
    cpu_ns: int | None = None
    run_delay_ns: int | None = None


class SchedStatsReader(Protocol):
    """Reads the counters of one process."""

    def read(self) -> SchedStats:
        """Return them; of a process that has ended, those that were read last."""


class PsutilReader:
    """Reads what every system tells."""

    def __init__(self, pid: int) -> None:
        """Watch the process `pid`."""
        self._last = SchedStats()
        import psutil

        self._process: psutil.Process | None = None
        with suppress(psutil.Error):
            self._process = psutil.Process(pid)

    def read(self) -> SchedStats:
        """Return the switches."""
        import psutil

        with suppress(psutil.Error):
            if self._process is not None:
                self._last = SchedStats(self._process.num_ctx_switches().involuntary)
        return self._last


class ProcReader:
    """Reads `/proc/PID/schedstat`."""

    def __init__(self, pid: int, opened: ExitStack) -> None:
        """Watch the process `pid`, with a file that `opened` closes.

        Raises:
            OSError: there is no such file, since the kernel does not count or the process has ended.

        """
        self._last = SchedStats()
        self._last_read = b""
        self._file = os.open(f"/proc/{pid}/schedstat", os.O_RDONLY)
        opened.callback(os.close, self._file)

    def read(self) -> SchedStats:
        """Return all of it."""
        try:
            read = os.pread(self._file, _SCHEDULE_BYTES, 0)
            if read != self._last_read:
                self._last = parse_schedstat(read)
                self._last_read = read
        except (OSError, ValueError):
            pass
        return self._last


def open_reader(pid: int, opened: ExitStack) -> SchedStatsReader:
    """Return the reader of the process `pid` that tells most on this system."""
    if sys.platform == "linux":
        with suppress(OSError):
            return ProcReader(pid, opened)
    return PsutilReader(pid)


def parse_schedstat(schedule: bytes) -> SchedStats:
    """Return what a process's file `schedstat` says.

    Raises:
        ValueError: it says something else.

    """
    cpu_ns, run_delay_ns, _ = schedule.split()
    return SchedStats(0, int(cpu_ns), int(run_delay_ns))


def total(processes: Sequence[SchedStats]) -> SchedStats:
    """Return the sums; where one process is not told of, nor is the sum."""
    cpu_ns = [each.cpu_ns for each in processes if each.cpu_ns is not None]
    run_delay_ns = [each.run_delay_ns for each in processes if each.run_delay_ns is not None]
    return SchedStats(
        sum(each.involuntary for each in processes),
        sum(cpu_ns) if len(cpu_ns) == len(processes) > 0 else None,
        sum(run_delay_ns) if len(run_delay_ns) == len(processes) > 0 else None,
    )
