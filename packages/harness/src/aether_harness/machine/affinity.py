"""Which CPU the worker gets, which are left to everything else, pinning to them, and going first on them.

psutil pins other processes, and this one where the system's own call is not at hand: a worker pins itself as it starts,
and to import psutil takes a fifth of that time.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_harness.errors import UsageError
from aether_harness.machine.sysinfo import not_told

if TYPE_CHECKING:
    from collections.abc import Sequence


#: The least nice a process can be to others.
_MIN_NICE = -20


class CpuAssignment(Struct, frozen=True, kw_only=True):
    """The CPUs of a run. Both are empty if this system cannot pin. `note` is a remark for readers of the figures."""

    worker_cpus: tuple[int, ...] = ()
    companion_cpus: tuple[int, ...] = ()
    note: str | None = None


def assign_cpus(allowed: Sequence[int] | None, wanted: Sequence[int] = ()) -> CpuAssignment:
    """Give the worker one CPU of its own and everything else the others.

    `allowed` are the CPUs of this process, or None if the system does not report them. The first of `wanted`, which
    narrows them, is the worker's. The default is the last allowed one, because the first serves most interrupts.

    Raises:
        UsageError: a wanted CPU is not allowed, or is named twice.

    """
    if allowed is None:
        if wanted:
            raise UsageError("--cpus: this system cannot pin a process to a CPU")
        return CpuAssignment(note="not pinned: this system cannot pin a process to a CPU")
    for cpu in wanted:
        if cpu not in allowed:
            raise UsageError(f"--cpus: CPU {cpu} is not one this process may use ({_listed(allowed)})")
    if len(set(wanted)) != len(wanted):
        raise UsageError("--cpus: names a CPU twice")
    usable = list(wanted) or sorted(allowed)[::-1]
    worker, others = usable[0], sorted(usable[1:])
    if not others and wanted:
        others = [cpu for cpu in sorted(allowed) if cpu != worker]
    if not others:
        return CpuAssignment(
            worker_cpus=(worker,),
            companion_cpus=(worker,),
            note=f"one CPU only: the worker shares CPU {worker} with everything it starts",
        )
    return CpuAssignment(worker_cpus=(worker,), companion_cpus=tuple(others))


def allowed_cpus(pid: int | None = None) -> list[int] | None:
    """Return the CPUs that this or another process may use, or None if the system does not report them (macOS)."""
    if pid is None and sys.platform == "linux":
        return sorted(os.sched_getaffinity(0))
    import psutil

    try:
        return sorted(psutil.Process(pid).cpu_affinity())
    except not_told():
        return None


def pin(cpus: Sequence[int], pid: int | None = None) -> str | None:
    """Pin this process, or another, to `cpus`; none given, do nothing. Return why it was not possible, if so."""
    if not cpus:
        return None
    refused: tuple[type[Exception], ...] = (OSError, ValueError)
    if pid is not None or sys.platform != "linux":
        refused = (*not_told(), ValueError)
    try:
        _set_affinity(cpus, pid)
    except refused as error:
        return f"not pinned to CPU {_listed(cpus)}: {error or type(error).__name__}"
    return None


def _set_affinity(cpus: Sequence[int], pid: int | None) -> None:
    if pid is None and sys.platform == "linux":
        os.sched_setaffinity(0, cpus)
        return
    import psutil

    psutil.Process(pid).cpu_affinity(list(cpus))


def pin_thread(cpus: Sequence[int]) -> None:
    """Pin the calling thread, and the processes that it starts from now on, to `cpus`, if the system can pin."""
    if sys.platform == "linux" and cpus:
        with suppress(OSError):  # as of `pin`: the run is only noisier
            os.sched_setaffinity(0, cpus)


def raise_priority(pid: int | None = None) -> None:
    """Give a process, by default this one, priority over others, so that they disturb it less.

    It takes a privilege on most systems, and a run without it is only noisier.
    """
    pid = os.getpid() if pid is None else pid
    import psutil

    with suppress(*not_told()):
        psutil.Process(pid).nice(getattr(psutil, "HIGH_PRIORITY_CLASS", _MIN_NICE))
    with suppress(AttributeError, OSError):
        # Linux groups processes by session; niceness counts only within a group. A session that this process does not
        # lead belongs to another process, such as a terminal, and would keep the niceness.
        if os.getsid(pid) == pid:
            with open(f"/proc/{pid}/autogroup", "w", encoding="ascii") as group:
                group.write(str(_MIN_NICE))


def _listed(cpus: Sequence[int]) -> str:
    return ",".join(map(str, cpus))
