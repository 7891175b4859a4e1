"""A bench from a command: `aether-bench run --exec 'tool args'`."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from time import perf_counter_ns
from typing import IO, TYPE_CHECKING, Literal

from msgspec import Struct

from aether_harness.benchmark.protocol import SampleResult
from aether_harness.discovery.locator import CommandAddress, LocatedBench, target_of
from aether_harness.errors import BenchError, UsageError
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from resource import struct_rusage

    from aether_harness.benchmark.protocol import RoundContext
    from aether_harness.discovery.locator import RunTarget
    from aether_schema import Metric

Measure = Literal["wall", "cpu", "memory"]

_SHOWN_BYTES = 300
#: The unit in which a system counts a process's peak of memory.
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


class CommandParams(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The command, in words as a shell would split them, or with `shell` for the system's shell to read.

    `measure` is the quantity of a sample: the `wall` clock, the `cpu` time of the command and its children, or the
    maximum `memory` of one of them. `prepare` is a command before every sample and `cleanup` one after it, both
    untimed. With `ignore_exit_code` a command may fail.
    """

    command: str = ""
    shell: bool = False
    measure: Measure = "wall"
    prepare: str = ""
    cleanup: str = ""
    ignore_exit_code: bool = False


class CommandSession:
    """A command, run from start to end by every sample."""

    def __init__(self, params: CommandParams, errors: IO[bytes]) -> None:
        """Run the command of `params`. Its output is discarded; its standard error goes to `errors`.

        Raises:
            BenchError: this system cannot measure the quantity.

        """
        if params.measure != "wall" and not hasattr(os, "wait4"):
            raise BenchError(f"this system does not tell a command's {params.measure}")
        self._params = params
        self._errors = errors

    def prepare(self) -> None:
        """Run the command that comes before every sample."""
        if self._params.prepare:
            self._run_untimed(self._params.prepare)

    def sample(self) -> SampleResult:
        """Start the command and wait for its end; then clean up, which is not counted."""
        elapsed_ns, usage = self._run(self._params.command)
        if self._params.cleanup:
            self._run_untimed(self._params.cleanup)
        if self._params.measure == "wall" or usage is None:
            return SampleResult(elapsed_ns=elapsed_ns)
        if self._params.measure == "cpu":
            return SampleResult(elapsed_ns=round((usage.ru_utime + usage.ru_stime) * 1e9))
        return SampleResult(cost=_peak_mb(usage.ru_maxrss * _MAXRSS_BYTES))

    def verify(self) -> None:
        """The exit status of every sample was checked already."""

    def _run_untimed(self, command: str) -> None:
        self._run(command, must_succeed=True)

    def _run(self, command: str, *, must_succeed: bool = False) -> tuple[int, struct_rusage | None]:
        """Run a command; return its duration in nanoseconds and its resource usage, if the system reports it.

        Raises:
            BenchError: it cannot be started, or failed.

        """
        shell = self._params.shell
        words: str | list[str] = command if shell else split_command(command, system=os.name)
        name = command if shell else words[0]
        usage = None
        try:
            started = perf_counter_ns()
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                shell=shell,
            )
            if sys.platform == "win32":
                status = process.wait()
            else:
                _, ended, usage = os.wait4(process.pid, 0)
                status = process.returncode = os.waitstatus_to_exitcode(ended)
            elapsed_ns = perf_counter_ns() - started
        except OSError as error:
            raise BenchError(f"{name}: {(error.strerror or str(error)).lower()}") from None
        if status and (must_succeed or not self._params.ignore_exit_code):
            raise BenchError(f"{name}: exit status {status}{self._stderr_tail()}")
        return elapsed_ns, usage

    def _stderr_tail(self) -> str:
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - _SHOWN_BYTES))
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f": {printable(lines[-1])}" if lines else ""


def _peak_mb(peak_bytes: int) -> float:
    """Return a command's peak of memory.

    Raises:
        BenchError: the memory is the worker's own: Linux counts memory from before the process became the command.

    """
    own_bytes = _own_peak_bytes()
    if peak_bytes <= own_bytes:
        raise BenchError(f"memory below {own_bytes / 1e6:.0f} MB, which the worker holds itself, cannot be measured")
    return peak_bytes / 1e6


def _own_peak_bytes() -> int:
    """Return the most memory this program has held, 0 where the system does not count it to a command's."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            return next((int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:")), 0)
    except OSError:
        return 0


class CommandBench:
    """A bench whose sample is a whole process, pinned as the worker is."""

    metric: Metric = "duration_ms"
    params_type = CommandParams
    about = "a command"

    def __init__(self, name: str) -> None:
        """Call the bench `name`."""
        self.bench_id = self.name = name

    @contextmanager
    def open(self, params: CommandParams, place: RoundContext) -> Iterator[CommandSession]:
        """Yield the session."""
        with tempfile.TemporaryFile(dir=place.folder) as errors:
            yield CommandSession(params, errors)


def split_command(command: str, *, system: str) -> list[str]:
    r"""Return the words of a command as a shell of `system`, an `os.name`, would split them.

    Quotes of both kinds hold a word together. A backslash escapes, but for Windows (`nt`), where it divides folders.

    Raises:
        ValueError: a quotation is not closed, or a backslash at the end escapes nothing.

    """
    splitter = shlex.shlex(command, posix=True)
    splitter.whitespace_split = True
    splitter.commenters = ""
    if system == "nt":
        splitter.escape = ""
    return list(splitter)


def command_targets(commands: Sequence[str], names: Sequence[str]) -> list[RunTarget]:
    """Return a target a command, named in turn by `names`, and by their programs where those run out.

    Raises:
        UsageError: a command is empty or its quotes do not match, or a name cannot stand in a file's name.

    """
    if len(names) > len(commands):
        raise UsageError("--name goes with an --exec each")
    targets = []
    for index, command in enumerate(commands):
        try:
            words = split_command(command, system=os.name)
        except ValueError as error:
            raise UsageError(f"--exec {command}: {str(error).lower()}") from None
        if not words or not words[0]:
            raise UsageError("--exec: an empty command")
        program = re.sub(r"[^A-Za-z0-9._-]+", "-", os.path.basename(words[0])).strip("-._")
        bench = CommandBench(names[index] if index < len(names) else program or "command")
        found = LocatedBench(bench=bench, address=CommandAddress(bench.name))
        targets.append(target_of(found, CommandParams(command=command)))
    return targets
