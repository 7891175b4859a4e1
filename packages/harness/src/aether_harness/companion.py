"""Processes that a bench or a kernel starts beside the worker: a server, the other end of a connection.

A companion prints one line once it is ready, and ends when its standard input is closed, so that it never
outlives whoever started it.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING

from aether_harness.affinity import pin
from aether_harness.error import BenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_STOP_LIMIT_S = 5.0


@contextmanager
def companion(
    module: str,
    *arguments: str,
    cpus: Sequence[int] = (),
    meanwhile: Callable[[], object] | None = None,
    name: str | None = None,
) -> Iterator[bytes]:
    """Start `python -m module`, yield the line it greets with, and stop it at the end. Errors call it `name`.

    It comes up on `cpus` if there are any, else on this process's own; `meanwhile` is called before it is waited for.

    Raises:
        BenchError: it ended without a greeting.

    """
    command = [sys.executable, "-P", "-m", module, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        pin(cpus, process.pid)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            if meanwhile is not None:
                meanwhile()
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
