"""What ends all processes that a command has started, in whatever session, when the command ends, however it ends.

They are told by a variable that they inherit (Linux). The command ends them when it is done. Should it be killed, a
process that waits for that does: one end of a pipe is the command's alone, and the system closes it with the command.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from aether_harness.interrupt import held_back

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The variable that all of a command's processes inherit.
VARIABLE = "AETHER_RUN"
_MOST_PASSES = 100
_SHELL = "/bin/sh"
#: Waits in the background, in a session of its own, and is neither marked nor a child of the command.
_WAIT_AND_END_THE_MARKED = r"""
exec 3<&0
{
  read -r _ <&3 && exit
  pass=0
  while [ $pass -lt 100 ]; do
    found=$(grep -lszxF -e "$0" /proc/[0-9]*/environ)
    [ -n "$found" ] || exit
    for path in $found; do process=${path%/environ}; kill -9 "${process#/proc/}"; done
    pass=$((pass + 1))
  done
} &
"""


@contextmanager
def nothing_outlives() -> Iterator[None]:
    """Mark what is started in the body, and end it with the body. Elsewhere than on Linux nothing is done."""
    if sys.platform != "linux":
        yield
        return
    mark = f"{VARIABLE}={secrets.token_hex(16)}"
    before = os.environ.get(VARIABLE)
    with held_back():
        kept = _watched(mark)
        os.environ[VARIABLE] = mark.partition("=")[2]
    try:
        yield
    finally:
        with held_back():
            os.environ.pop(VARIABLE)
            if before is not None:
                os.environ[VARIABLE] = before
            _end_marked(mark)
            with suppress(OSError):  # nobody waits
                os.write(kept, b"\n")
            os.close(kept)


def _watched(mark: str) -> int:
    """Start who waits for this process to end, and return the end of the pipe that says so."""
    end, kept = os.pipe()
    try:
        with suppress(OSError):  # without a shell, what this process does itself has to suffice
            subprocess.run(
                [_SHELL, "-c", _WAIT_AND_END_THE_MARKED, mark],
                stdin=end,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={"PATH": os.environ.get("PATH", os.defpath)},
                start_new_session=True,
                check=False,
            )
    finally:
        os.close(end)
    return kept


def _end_marked(mark: str) -> None:
    """Kill the processes that are marked, and what they start meanwhile."""
    for _ in range(_MOST_PASSES):
        if not (found := [int(name) for name in _processes() if _is_marked(name, mark)]):
            return
        for pid in found:
            with suppress(OSError):
                _kill(pid)


def _processes() -> list[str]:
    try:
        return [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:  # nobody may look
        return []


def _is_marked(pid: str, mark: str) -> bool:
    """Return whether a process is marked; one that has ended has no environment any more."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as variables:
            return mark.encode() in variables.read().split(b"\0")
    except OSError:  # it is gone, or another user's
        return False


def _kill(pid: int) -> None:
    """Kill a process, with its whole group if that is not this process's: none of it can start another one then."""
    group = os.getpgid(pid)
    if group == os.getpgrp():
        os.kill(pid, signal.SIGKILL)
    else:
        os.killpg(group, signal.SIGKILL)
