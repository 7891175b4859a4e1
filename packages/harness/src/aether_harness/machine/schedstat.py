"""The scheduler's counters of another process: CPU time and time in the run queue, or its switches.

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
    """The counters of a process so far, as far as the system reports them; the last two in nanoseconds.

    If the system reports the time in the run queue, the switches are not read: they show the same loss without its
    size, and take seven times as long to read.
    """

    involuntary: int = 0
    cpu_ns: int | None = None
    run_delay_ns: int | None = None


class SchedStatsReader(Protocol):
    """Reads the counters of one process."""

    def read(self) -> SchedStats:
        """Return the counters; after the end of the process, the last ones that were read."""


class PsutilReader:
    """Reads counters that every system reports."""

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
    """Return the most informative reader of the process `pid` on this system."""
    if sys.platform == "linux":
        with suppress(OSError):
            return ProcReader(pid, opened)
    return PsutilReader(pid)


def parse_schedstat(schedule: bytes) -> SchedStats:
    """Parse the content of a process's file `schedstat`.

    Raises:
        ValueError: the content has another form.

    """
    cpu_ns, run_delay_ns, _ = schedule.split()
    return SchedStats(0, int(cpu_ns), int(run_delay_ns))


def total(processes: Sequence[SchedStats]) -> SchedStats:
    """Return the sums, or None for a counter that a process lacks."""
    cpu_ns = [each.cpu_ns for each in processes if each.cpu_ns is not None]
    run_delay_ns = [each.run_delay_ns for each in processes if each.run_delay_ns is not None]
    return SchedStats(
        sum(each.involuntary for each in processes),
        sum(cpu_ns) if len(cpu_ns) == len(processes) > 0 else None,
        sum(run_delay_ns) if len(run_delay_ns) == len(processes) > 0 else None,
    )
