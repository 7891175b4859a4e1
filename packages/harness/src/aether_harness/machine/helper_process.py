"""Processes that a bench or a kernel starts next to the worker: a server, the other end of a connection.

A helper prints one line when it is ready, and ends when its standard input is closed, so that it never outlives its
parent.
"""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import traceback
from contextlib import contextmanager, suppress
from threading import Timer
from typing import TYPE_CHECKING, NoReturn, Self

from aether_harness.errors import BenchError
from aether_harness.machine.affinity import pin
from aether_harness.machine.sysinfo import is_single_threaded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_STOP_LIMIT_S = 5.0
_STANDARD_STREAMS = (0, 1, 2)


@contextmanager
def helper_process(
    module: str,
    *arguments: str,
    cpus: Sequence[int] = (),
    while_starting: Callable[[], object] | None = None,
    name: str | None = None,
    main: Callable[[Sequence[str]], object] | None = None,
) -> Iterator[bytes]:
    """Start `python -m module`, yield the line it greets with, and stop it at the end. Errors call it `name`.

    It starts on `cpus` if there are any, else on the CPUs of this process. `while_starting` is called before the wait
    for the line. With `main`, the module's function that takes the arguments, the process is a fork of this one where
    that is possible and this process has one thread: a fork starts sooner.

    Raises:
        BenchError: the process ended without a greeting.

    """
    with _started(module, arguments, main) as process:
        pin(cpus, process.pid)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            if while_starting is not None:
                while_starting()
            greeting = process.stdout.readline()
            if not greeting:
                raise BenchError(f"{name or module} did not start: status {process.wait()}")
            yield greeting
        finally:
            process.stdin.close()
            # wait() with a limit looks only now and then, and later each time.
            impatience = Timer(_STOP_LIMIT_S, process.kill)
            impatience.start()
            process.wait()
            impatience.cancel()
            # While its thread is about to end, this process has two, and does not fork.
            impatience.join()


def _started(
    module: str, arguments: Sequence[str], main: Callable[[Sequence[str]], object] | None
) -> subprocess.Popen[bytes] | _ForkedHelper:
    if main is not None and is_single_threaded():
        return _ForkedHelper(lambda: main(arguments))
    command = [sys.executable, "-P", "-m", module, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


class _ForkedHelper:
    """A fork of this process: as much of `subprocess.Popen` as a companion needs."""

    def __init__(self, run: Callable[[], object]) -> None:
        """Have the fork `run`, and end."""
        sys.stdout.flush()
        sys.stderr.flush()
        its_input, to_it = os.pipe()
        from_it, its_output = os.pipe()
        try:
            self.pid = os.fork()
            if self.pid == 0:
                _run(run, its_input, its_output)
        except OSError:
            os.close(to_it)
            os.close(from_it)
            raise
        finally:
            os.close(its_input)
            os.close(its_output)
        self._status: int | None = None
        self.stdin = os.fdopen(to_it, "wb")
        self.stdout = os.fdopen(from_it, "rb")

    def __enter__(self) -> Self:
        """Be ended by the end of a `with`."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the streams, and wait for the end."""
        self.stdin.close()
        self.stdout.close()
        self.wait()

    def wait(self) -> int:
        """Wait for the end and return the exit status, negative for a signal."""
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._status

    def kill(self) -> None:
        """End it by force, if it has not ended."""
        if self._status is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def _run(run: Callable[[], object], its_input: int, its_output: int) -> NoReturn:
    """Be the fork: have nothing of the parent's that is open but its error stream, run, and end."""
    status = 1
    try:
        # Never collect objects that hold a descriptor of the parent: they would close another file with the same
        # number.
        gc.freeze()
        os.dup2(its_input, 0)
        os.dup2(its_output, 1)
        for number in map(int, os.listdir("/proc/self/fd")):
            if number not in _STANDARD_STREAMS:
                with suppress(OSError):  # the descriptor of the listing is already closed
                    os.close(number)
        run()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001 - it must not go on as a second parent
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):  # a full disk, or a stream that was closed
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)
