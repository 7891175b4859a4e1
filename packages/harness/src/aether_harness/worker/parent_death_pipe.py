"""What ends a worker's processes when its parent has ended, however that ended.

The parent holds one end of a pipe and the worker's process group a process that waits at the other. The system
closes the parent's end with the parent. Who waits belongs to the group that it ends, itself included: so the number
of the group is no other's, and nothing that hangs in the worker can keep it from its work.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress

#: The variable that tells a worker the number of its end; it is taken out before a bench can see it.
VARIABLE = "AETHER_LIFELINE"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_SHELL = "/bin/sh"
_WAIT_AND_END_THE_GROUP = "read -r _; kill -9 0"


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends, before anything else can be there to end it.

    Ask it too to make this process the parent of what its children leave behind, so that it can be found.
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
    with suppress(OSError):  # without a shell, what the kernel does for the worker alone has to suffice
        waiting = os.posix_spawn(
            _SHELL,
            [_SHELL, "-c", _WAIT_AND_END_THE_GROUP],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, end, 0), *quiet],
        )
    os.close(end)
    return waiting


class ParentDeathPipe:
    """The parent's side. Where there are no process groups, there is no pipe."""

    def __init__(self) -> None:
        """Open the pipe."""
        ends = os.pipe() if os.name == "posix" else ()
        self.child_fds, self._kept = ends[:1], ends[1:]
        self.env = {VARIABLE: f"{ends[0]:06d}"} if ends else {}

    def close_child_end(self) -> None:
        """Keep the parent's end alone, now that the worker has inherited what is handed over."""
        for end in self.child_fds:
            os.close(end)
        self.child_fds = ()

    def close(self) -> None:
        """Close what is open."""
        self.close_child_end()
        for end in self._kept:
            os.close(end)
        self._kept = ()
