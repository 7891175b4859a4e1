"""Import and describe benches in a child process, so that a crash or hang there is only a one-line error here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from aether_harness.discovery.bench_folder import expand_folders
from aether_harness.discovery.description import Benches, BenchSelection, Importing, Refused
from aether_harness.discovery.locator import Described
from aether_harness.errors import HarnessError, UsageError, in_a_line
from aether_harness.worker.client import START_LIMIT_S, Child, WorkerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_harness.discovery.locator import RunTarget


class Interpreter(Struct, frozen=True, kw_only=True):
    """The Python that imports the benches, its working folder, and its environment variables besides this process's."""

    python: str = sys.executable
    folder: str | None = None
    changes: dict[str, str] = {}


class _ImportError(HarnessError):
    """An import ended the child process or took too long."""

    def __init__(self, importing: Importing, problem: str) -> None:
        self.importing = importing
        super().__init__(f"{in_a_line(importing.name)}: cannot be imported: {problem}")


def benches_of(wanted: BenchSelection, limit_s: float, interpreter: Interpreter | None = None) -> Sequence[Described]:
    """Return the wanted benches of an interpreter, by default this one. Each import may take up to `limit_s` seconds.

    The benches are `Target`s, unless the interpreter's aether-harness predates that type.

    Raises:
        UsageError: a bench does not exist, cannot be loaded, or has no such parameter.

    """
    answer, errors = _asked(wanted, limit_s, interpreter or Interpreter())
    if errors and not wanted.names:
        raise UsageError(errors[0])
    return answer


def targets_of(names: Sequence[str], params: Sequence[str], limit_s: float) -> list[RunTarget]:
    """Return the benches in `names`, or all installed benches if it is empty, with their parameters set.

    Raises:
        UsageError: see `benches_of`.

    """
    wanted = BenchSelection(names=tuple(expand_folders(names)), params=tuple(params))
    return benches_of(wanted, limit_s)  # type: ignore[return-value]


def listed_targets(names: Sequence[str], limit_s: float) -> tuple[list[RunTarget], list[str]]:
    """Return the benches in `names`, or every installed bench, with all parameters, and a line per broken plugin.

    Raises:
        UsageError: see `benches_of`.

    """
    wanted = BenchSelection(names=tuple(expand_folders(names)), all_params=True)
    return _asked(wanted, limit_s, Interpreter())  # type: ignore[return-value]


def _asked(wanted: BenchSelection, limit_s: float, interpreter: Interpreter) -> tuple[Sequence[Described], list[str]]:
    """Ask for the benches, each time without the plugins whose import has failed."""
    left_out: dict[str, str] = {}
    while True:
        try:
            answer = _ask(replace(wanted, in_lines=True, left_out=tuple(left_out)), limit_s, interpreter)
        except _ImportError as error:
            if not error.importing.is_plugin or error.importing.name in left_out:
                raise UsageError(str(error)) from None
            left_out[error.importing.name] = str(error)
            continue
        if isinstance(answer, Benches):
            return answer.targets, [*left_out.values(), *answer.errors]
        if isinstance(answer, Refused):
            raise UsageError("; ".join([in_a_line(answer.problem), *left_out.values()]))
        return answer, []


def _ask(wanted: BenchSelection, limit_s: float, interpreter: Interpreter) -> Benches | Refused | list[Described]:
    command = [interpreter.python, "-P", "-m", "aether_harness.discovery.description"]
    importing: Importing | None = None
    try:
        question = msgspec.json.encode(wanted)
    except UnicodeEncodeError as error:
        raise UsageError(f"{in_a_line(str(error.object))}: not a name in UTF-8") from None
    try:
        with Child(command, interpreter.changes, interpreter.folder) as child:
            child.tell(question, START_LIMIT_S, last=True)
            # The first line includes the start of the interpreter. An old aether-harness writes it after all imports.
            message = _heard(child, START_LIMIT_S + limit_s)
            while isinstance(message, Importing):
                importing = message
                message = _heard(child, limit_s)
            return message
    except WorkerError as error:
        if importing is not None:
            raise _ImportError(importing, str(error)) from None
        raise UsageError(f"the benches cannot be listed: {error}") from None


def _heard(child: Child, limit_s: float) -> Importing | Benches | Refused | list[Described]:
    line = child.hear(limit_s)
    if not line:
        raise WorkerError(child.how_it_ended())
    try:
        message: Importing | Benches | Refused | list[Described] = decode(line)
    except msgspec.MsgspecError:
        if not line.endswith(b"\n"):
            raise WorkerError(child.how_it_ended()) from None
        raise WorkerError("its aether-harness describes benches in another way: versions differ") from None
    return message


decode = msgspec.json.Decoder(Importing | Benches | Refused | list[Described]).decode
