"""Running another program to its end, and ending it with all it started where the wait for it is broken off."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import nullcontext, suppress
from typing import IO, TYPE_CHECKING

from aether_guard.errors import GuardError
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

#: What a hook or an alias of git sets for its own repository, which would be taken for that of any other.
_GIT_HOOK_VARIABLES = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
)
#: What speaks of a full disk: a program's own words, and those of git, which does not say why.
_FULL_DISK = ("no space left on device", "not enough space on the disk", "unable to write file")
#: How long a program may take to put its things in order before it is ended.
_END_LIMIT_S = 5.0


def clean_environment(changes: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with `changes`, without what a hook of git has put there."""
    return {name: value for name, value in os.environ.items() if name not in _GIT_HOOK_VARIABLES} | dict(changes)


def run_command(
    command: Sequence[str],
    *,
    folder: str,
    changes: Mapping[str, str],
    log: IO[bytes] | None = None,
    starting: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> subprocess.CompletedProcess[bytes]:
    """Run `command` in `folder` with no input; return its status, and its output unless that goes to `log`.

    The program is started within the context `starting`, which may defer signals until the process is known here.

    Raises:
        GuardError: there is no such program or folder, or it cannot be run.

    """
    env = clean_environment(changes)
    program = shutil.which(command[0], path=env.get("PATH"))
    if program is None and not os.path.dirname(command[0]):
        raise GuardError(f"{printable(command[0])}: there is no such program on the PATH")
    process: subprocess.Popen[bytes] | None = None
    try:
        with starting():
            process = subprocess.Popen(
                [program or command[0], *command[1:]],
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if log is None else log,
                stderr=subprocess.PIPE if log is None else subprocess.STDOUT,
                # A group of its own, so that what it started can be ended with it.
                start_new_session=os.name == "posix",
            )
        output, errors = process.communicate()
    except BaseException as error:
        if process is not None:
            _terminate(process)
        elif isinstance(error, (OSError, ValueError)):
            # Of the two that can be missing, the error names the right one.
            name = getattr(error, "filename", None) or command[0]
            raise GuardError(f"{printable(str(name))}: {_reason(error)}") from None
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def error_line(output: bytes) -> str:
    """Return the line of a failed program's output that says most: a full disk, git's own error, or the last one."""
    lines = [printable(line.strip()) for line in output.decode(errors="replace").splitlines() if line.strip()]
    full = [line for line in lines if any(sign in line.lower() for sign in _FULL_DISK)]
    fatal = [line for line in lines if line.startswith("fatal: ")]
    # A hint says what one could do, not what went wrong.
    plain = [line for line in lines if not line.startswith("hint:")]
    line = (full or fatal or plain or lines or ["it said nothing"])[-1]
    return line.removeprefix("fatal: ").removeprefix("error: ")[:300]


def _terminate(process: subprocess.Popen[bytes]) -> None:
    """End a program and its group: by asking first, since git then takes its lock files away."""
    if os.name == "posix":
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_LIMIT_S)
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
