"""A bench from a command: `aether-bench run --exec 'tool args'`."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from aether_harness.error import BenchError, UsageError
from aether_harness.target import CommandAddress, Found, Target
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aether_harness.plugin import Place
    from aether_schema import Metric

_SHOWN_BYTES = 300


class CommandParams(Struct, frozen=True, kw_only=True):
    """The command, in words as a shell would split them."""

    command: str = ""


class CommandSession:
    """A command, run from start to end by every sample."""

    def __init__(self, words: Sequence[str], errors: IO[bytes]) -> None:
        """Run `words`; what it prints is thrown away, what it complains of goes to `errors`."""
        self._words = words
        self._errors = errors

    def sample(self) -> None:
        """Start the command and wait for its end."""
        try:
            status = subprocess.run(
                self._words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._errors, check=False
            ).returncode
        except OSError as error:
            raise BenchError(f"{self._words[0]}: {(error.strerror or str(error)).lower()}") from None
        if status:
            raise BenchError(f"{self._words[0]}: exit status {status}{self._last_words()}")

    def verify(self) -> None:
        """The exit status of every sample was checked already."""

    def _last_words(self) -> str:
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - _SHOWN_BYTES))
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f": {printable(lines[-1])}" if lines else ""


class CommandBench:
    """A bench whose sample is a whole process, pinned as the worker is."""

    metric: Metric = "duration_ms"
    params_type = CommandParams
    about = "a command"

    def __init__(self, name: str) -> None:
        """Call the bench `name`."""
        self.bench_id = self.name = name

    @contextmanager
    def open(self, params: CommandParams, place: Place) -> Iterator[CommandSession]:
        """Yield the session."""
        with tempfile.TemporaryFile(dir=place.folder) as errors:
            yield CommandSession(words_of(params.command, system=os.name), errors)


def words_of(command: str, *, system: str) -> list[str]:
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


def command_targets(commands: Sequence[str], names: Sequence[str]) -> list[Target]:
    """Return a target a command, named in turn by `names`, and by their programs where those run out.

    Raises:
        UsageError: a command is empty or its quotes do not match, or a name cannot stand in a file's name.

    """
    if len(names) > len(commands):
        raise UsageError("--name goes with an --exec each")
    targets = []
    for index, command in enumerate(commands):
        try:
            words = words_of(command, system=os.name)
        except ValueError as error:
            raise UsageError(f"--exec {command}: {str(error).lower()}") from None
        if not words or not words[0]:
            raise UsageError("--exec: an empty command")
        program = re.sub(r"[^A-Za-z0-9._-]+", "-", os.path.basename(words[0])).strip("-._")
        bench = CommandBench(names[index] if index < len(names) else program or "command")
        targets.append(
            Target(found=Found(bench=bench, address=CommandAddress(bench.name)), params=CommandParams(command=command))
        )
    return targets
