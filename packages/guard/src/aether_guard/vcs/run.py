"""Run a program to completion; on an interruption, end it with its process group."""

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

#: Variables that git sets for hooks and aliases; they would redirect git in any other repository.
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
#: Signs of a full disk in error output; git reports only "unable to write file".
_FULL_DISK = ("no space left on device", "not enough space on the disk", "unable to write file")
#: Time between SIGTERM and SIGKILL, in which a program can clean up.
_END_LIMIT_S = 5.0


def clean_environment(changes: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with `changes` and without the variables of git hooks."""
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

    The program is started within the context `starting`, which may defer signals until the process is recorded.

    Raises:
        GuardError: the program or folder does not exist, or the program cannot be run.

    """
    env = clean_environment(changes)
    program = shutil.which(command[0], path=env.get("PATH"))
    if program is None and not os.path.dirname(command[0]):
        raise GuardError(f"{printable(command[0])}: no such program on the PATH")
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
                # Its own session and process group, so that its children can be ended with it.
                start_new_session=os.name == "posix",
            )
        output, errors = process.communicate()
    except BaseException as error:
        if process is not None:
            _terminate(process)
        elif isinstance(error, (OSError, ValueError)):
            # The error names the missing program or folder.
            name = getattr(error, "filename", None) or command[0]
            raise GuardError(f"{printable(str(name))}: {_reason(error)}") from None
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def error_line(output: bytes) -> str:
    """Return the most useful line of a failed program's output: a full disk, git's own error, or the last line."""
    lines = [printable(line.strip()) for line in output.decode(errors="replace").splitlines() if line.strip()]
    full = [line for line in lines if any(sign in line.lower() for sign in _FULL_DISK)]
    fatal = [line for line in lines if line.startswith("fatal: ")]
    # A hint suggests a remedy but does not describe the error.
    plain = [line for line in lines if not line.startswith("hint:")]
    line = (full or fatal or plain or lines or ["no error message"])[-1]
    return line.removeprefix("fatal: ").removeprefix("error: ")[:300]


def _terminate(process: subprocess.Popen[bytes]) -> None:
    """End a program and its group, first with SIGTERM, so that git removes its lock files."""
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
