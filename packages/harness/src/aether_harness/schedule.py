"""What the scheduler counts of another process: switches, CPU time, and how long it was ready and had no CPU.

On Linux these are its main thread's, from files that are kept open: opening one costs more than reading it.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Protocol

import psutil
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCHEDULE_BYTES = 100
_STATUS_BYTES = 8192
_SWITCHES = b"nonvoluntary_ctxt_switches:"


class Scheduled(Struct, frozen=True):
    """How often a CPU was taken from a process; the other two in nanoseconds, where the kernel tells them."""

    involuntary: int = 0
    cpu_ns: int | None = None
    delay_ns: int | None = None


class Schedule(Protocol):
    """Reads the counters of one process."""

    def read(self) -> Scheduled:
        """Return them; of a process that has ended, those that were read last."""


class PortableSchedule:
    """Reads what every system tells."""

    def __init__(self, pid: int) -> None:
        """Watch the process `pid`."""
        self._process = psutil.Process(pid)
        self._last = Scheduled()

    def read(self) -> Scheduled:
        """Return the switches."""
        with suppress(psutil.Error):
            self._last = Scheduled(self._process.num_ctx_switches().involuntary)
        return self._last


class LinuxSchedule:
    """Reads `/proc/PID/schedstat`, and `/proc/PID/status` where that may have changed."""

    def __init__(self, pid: int, opened: ExitStack) -> None:
        """Watch the process `pid`, with files that `opened` closes."""
        self._last = Scheduled()
        self._last_schedule = b""
        self._schedule_file = _opened(f"/proc/{pid}/schedstat", opened)
        self._status_file = _opened(f"/proc/{pid}/status", opened)

    def read(self) -> Scheduled:
        """Return all of them."""
        if self._status_file is None:
            return self._last
        try:
            schedule = b"" if self._schedule_file is None else os.pread(self._schedule_file, _SCHEDULE_BYTES, 0)
            # The CPU cannot be taken from a process that has not run, and its status is long.
            if not schedule or schedule != self._last_schedule:
                self._last = scheduled_of(schedule, os.pread(self._status_file, _STATUS_BYTES, 0))
                self._last_schedule = schedule
        except (OSError, ValueError):
            pass
        return self._last


def _opened(path: str, opened: ExitStack) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    opened.callback(os.close, descriptor)
    return descriptor


def scheduled_of(schedule: bytes, status: bytes) -> Scheduled:
    """Return what a process's files `schedstat`, empty where there is none, and `status` say.

    Raises:
        ValueError: the status does not tell the switches, or a figure is none.

    """
    _, found, count = status.rpartition(_SWITCHES)
    if not found:
        raise ValueError("no count of switches")
    switches = int(count.split(None, 1)[0])
    if not schedule:
        return Scheduled(switches)
    cpu_ns, delay_ns, _ = schedule.split()
    return Scheduled(switches, int(cpu_ns), int(delay_ns))


def total(processes: Sequence[Scheduled]) -> Scheduled:
    """Return the sums; where one process is not told of, nor is the sum."""
    if len(processes) == 1:
        return processes[0]
    cpu_ns = [each.cpu_ns for each in processes if each.cpu_ns is not None]
    delay_ns = [each.delay_ns for each in processes if each.delay_ns is not None]
    return Scheduled(
        sum(each.involuntary for each in processes),
        sum(cpu_ns) if len(cpu_ns) == len(processes) > 0 else None,
        sum(delay_ns) if len(delay_ns) == len(processes) > 0 else None,
    )
