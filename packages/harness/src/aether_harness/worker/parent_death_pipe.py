"""End a worker's processes when its parent has ended, even if the parent was killed.

The parent holds one end of a pipe; a process in the worker's process group waits at the other end. The system closes
the parent's end with the parent. The waiting process belongs to the group that it ends, including itself: the number of
the group cannot be reused, and a hanging worker cannot prevent it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress

#: The environment variable with the worker's end of the pipe; it is removed before a bench can see it.
VARIABLE = "AETHER_LIFELINE"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_SHELL = "/bin/sh"
_WAIT_AND_END_THE_GROUP = "read -r _; kill -9 0"


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends, before anything else can be there to end it.

    Also make this process the parent of its orphaned descendants, so that they can be found.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def watch_parent() -> int | None:
    """Start the process that waits, in this process's group, and return its number; None if nothing was handed over."""
    text = os.environ.pop(VARIABLE, None)
    if text is None or sys.platform == "win32":
        return None
    end, waiting = int(text), None
    quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
    with suppress(OSError):  # without a shell, the parent-death signal of the worker has to suffice
        waiting = os.posix_spawn(
            _SHELL,
            [_SHELL, "-c", _WAIT_AND_END_THE_GROUP],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, end, 0), *quiet],
        )
    os.close(end)
    return waiting


class ParentDeathPipe:
    """The parent's side. Without process groups, there is no pipe."""

    def __init__(self) -> None:
        """Open the pipe."""
        ends = os.pipe() if os.name == "posix" else ()
        self.child_fds, self._kept = ends[:1], ends[1:]
        self.env = {VARIABLE: f"{ends[0]:06d}"} if ends else {}

    def close_child_end(self) -> None:
        """Close the worker's end once the worker has inherited it."""
        for end in self.child_fds:
            os.close(end)
        self.child_fds = ()

    def close(self) -> None:
        """Close the open ends."""
        self.close_child_end()
        for end in self._kept:
            os.close(end)
        self._kept = ()
