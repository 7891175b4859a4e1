"""Steal: the time for which a hypervisor kept a CPU to itself, read seldom and charged to samples without a loss."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_STAT = "/proc/stat"
_STEAL_COLUMN = 8


class StealMeter:
    """Charges steal to the samples during which it came.

    The kernel counts steal in ticks, and reading it costs as much as the rest of the bookkeeping of a sample. A sample
    that directly follows another is therefore not read before a tick has passed since the last reading: a steal of a
    whole tick makes the sample last that long. Steal of a fraction of a tick is charged to the sample after which it
    appears, even if that is the next one. Steal during a pause is charged to none, unless a sample before the pause is
    still pending.
    """

    def __init__(self, read_ns: Callable[[], int | None], tick_ns: int) -> None:
        """Meter the value of `read_ns`, the steal since start-up, which grows in steps of `tick_ns`."""
        self._read_ns = read_ns
        self._tick_ns = tick_ns
        self._stale_at = 0
        self._charged_ns: int | None = None
        self._has_pending_sample = False
        self._has_paused = True

    def begin(self, now_ns: int) -> None:
        """Begin a sample at `now_ns` of a clock that never goes back."""
        self._has_paused = now_ns >= self._stale_at
        if self._has_paused and not self._has_pending_sample:
            self._charged_ns = self._read_ns()

    def end(self, now_ns: int) -> int | None:
        """End the sample; return the steal charged to it, or None if the system does not report it."""
        if not self._has_paused and now_ns < self._stale_at:
            self._has_pending_sample = True
            return None if self._charged_ns is None else 0
        before, self._charged_ns = self._charged_ns, self._read_ns()
        self._has_pending_sample = False
        self._stale_at = now_ns + self._tick_ns
        return None if before is None or self._charged_ns is None else self._charged_ns - before


class ProcStat:
    """Reads the steal column of some CPUs, for which it keeps the system's file open."""

    def __init__(self, cpus: Sequence[int]) -> None:
        """Read the steal of `cpus`.

        Raises:
            OSError: the system has no such file.

        """
        self.tick_ns = 10**9 // os.sysconf("SC_CLK_TCK")
        self._starts = [f"\ncpu{cpu} ".encode() for cpu in cpus]
        # A CPU's line has at most some 200 bytes; the long lines of interrupts behind them are not wanted.
        self._wanted_bytes = 250 * ((os.cpu_count() or 1) + 1)
        self._descriptor = os.open(_STAT, os.O_RDONLY)

    def read_ns(self) -> int | None:
        """Return the steal of all CPUs since start-up, or None if the file does not contain it."""
        try:
            return steal_ticks(os.pread(self._descriptor, self._wanted_bytes, 0), self._starts) * self.tick_ns
        except (OSError, IndexError, ValueError):
            return None

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def steal_ticks(text: bytes, starts: Sequence[bytes]) -> int:
    r"""Return the sum of the steal columns of the lines that begin with one of `starts`, such as `b"\ncpu3 "`.

    Raises:
        IndexError: a line has no such column.
        ValueError: there is no such line, or the column is no number.

    """
    ticks = 0
    for start in starts:
        ticks += int(text[text.index(start) + 1 :].split(None, _STEAL_COLUMN + 1)[_STEAL_COLUMN])
    return ticks
