"""The descendants of a process."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import psutil


class Tree(Protocol):
    """A process that this one has started: as much of `subprocess.Popen` as it takes to end it."""

    @property
    def pid(self) -> int:
        """Its number, which is another's once it was waited for."""

    @property
    def returncode(self) -> int | None:
        """How it ended, if it was waited for."""

    def kill(self) -> None:
        """End it by force, if it was not waited for."""


#: With more processes than this, something starts them endlessly.
_MOST = 10_000


def descendants(pid: int) -> list[psutil.Process]:
    """Return the processes that the process `pid` and those it started have started and that are still there."""
    try:
        pids = _from_proc(pid)
    except OSError:
        return _from_psutil(pid)
    if not pids:
        return []
    import psutil

    found = []
    for child in pids:
        # Identify a process by its start time as well, because its pid may be reused.
        with suppress(psutil.Error):
            found.append(psutil.Process(child))
    return found


def other_children(pid: int, known: int | None) -> list[int] | None:
    """Return the numbers of the processes that `pid` and those it started have started, but for `known`.

    None where the system does not list them.
    """
    try:
        return [child for child in _from_proc(pid) if child != known]
    except OSError:
        return None


def kill_descendants(pid: int) -> None:
    """Kill them, and the processes that they start in the meantime."""
    held: set[psutil.Process] = set()
    # One that is stopped starts no other, and ends at no other's end, which would hide its siblings from a listing.
    while new := set(descendants(pid)) - held:
        for child in new:
            _signal(child, "suspend" if os.name == "posix" else "kill")
        held |= new
        if len(held) > _MOST:
            break
    for child in held:
        _signal(child, "kill")


def end_tree(process: Tree) -> None:
    """Kill a process with its descendants and, where there are groups, with the group that it leads."""
    if process.returncode is None:
        # It starts nothing any more, and until it is dead it is the parent of orphans of its children.
        _signal_group(process.pid, "SIGSTOP")
        kill_descendants(process.pid)
    # A group keeps its number from others while there is any of it.
    _signal_group(process.pid, "SIGKILL")
    process.kill()


def _signal_group(pid: int, name: str) -> None:
    if os.name == "posix":
        with suppress(OSError):
            os.killpg(pid, signal.Signals[name])


def _signal(child: psutil.Process, how: str) -> None:
    import psutil

    with suppress(psutil.Error):
        getattr(child, how)()


def _from_proc(pid: int) -> list[int]:
    """Return their numbers as Linux lists them a process, which takes a hundredth of a search among all processes.

    Raises:
        OSError: the system does not, or there is no such process.

    """
    found = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as children:
            found += [int(child) for child in children.read().split()]
    for child in tuple(found):
        with suppress(OSError):  # it has ended meanwhile
            found += _from_proc(child)
    return found


def _from_psutil(pid: int) -> list[psutil.Process]:
    import psutil

    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []
