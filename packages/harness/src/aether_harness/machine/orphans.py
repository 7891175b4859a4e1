"""Kill all processes that a command started, in any session, when the command ends for any reason (Linux only).

The processes inherit an environment variable that marks them. The command kills them when it finishes. If the command
itself is killed, a watcher process does so: only the command holds the write end of a pipe that the watcher reads, and
the system closes that end with the command.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from aether_harness.machine.signals import held_back

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The environment variable that all of a command's processes inherit.
VARIABLE = "AETHER_RUN"
_MAX_PASSES = 100
_SHELL = "/bin/sh"
#: The watcher. It waits in the background in its own session, and is neither marked nor a child of the command.
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
    """Mark the processes that the body starts, and kill them when it ends. Do nothing on systems other than Linux."""
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
            with suppress(OSError):  # there is no watcher
                os.write(kept, b"\n")
            os.close(kept)


def _watched(mark: str) -> int:
    """Start the watcher and return the write end of its pipe. If that closes before a line is written, it kills."""
    end, kept = os.pipe()
    try:
        with suppress(OSError):  # without a shell there is no watcher, and only this process kills
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
    """Kill the marked processes, and any that they start in the meantime."""
    for _ in range(_MAX_PASSES):
        if not (found := [int(name) for name in _processes() if _is_marked(name, mark)]):
            return
        for pid in found:
            with suppress(OSError):
                _kill(pid)


def _processes() -> list[str]:
    try:
        return [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:  # /proc cannot be read
        return []


def _is_marked(pid: str, mark: str) -> bool:
    """Return whether a process is marked. A process that has ended is not: it has no environment."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as variables:
            return mark.encode() in variables.read().split(b"\0")
    except OSError:  # it has ended, or belongs to another user
        return False


def _kill(pid: int) -> None:
    """Kill a process and, unless this process belongs to it, its whole group, so that no member can start another."""
    group = os.getpgid(pid)
    if group == os.getpgrp():
        os.kill(pid, signal.SIGKILL)
    else:
        os.killpg(group, signal.SIGKILL)
