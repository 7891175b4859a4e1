"""Benches as another process needs them, which does not import them: `python -m aether_harness.discovery.description`.

Reads a JSON object from standard input, `{"names": […], "params": […]}`, as `aether-bench run` takes them, and prints a
JSON array of the benches. An error is one line on standard error. With `"in_lines": true` it prints one JSON object per
line: one before each import, and the answer last.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, replace

from aether_harness.benchmark.parameters import parse_settings, suggestion
from aether_harness.discovery.bench_file import locate_benches
from aether_harness.discovery.locator import RunTarget, check_distinct, qualify, target_of
from aether_harness.discovery.registry import installed_benches, select_benches
from aether_harness.errors import HarnessError, UsageError
from aether_harness.sweep.sweep import expand_sweep
from aether_harness.worker.parent_death_pipe import die_with_parent, watch_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aether_harness.discovery.locator import LocatedBench

EXIT_USAGE = 2


class BenchSelection(Struct, frozen=True, kw_only=True):
    """The benches to describe, and their parameters; all installed benches if `names` is empty or `with_installed`.

    A name is a bench's id or short name, or a Python file that defines benches (`FILE.py`, `FILE.py::ID`). The plugins
    `left_out` are not imported. With `all_params` the parameters of a bench hold its defaults in any case.
    """

    names: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    in_lines: bool = False
    left_out: tuple[str, ...] = ()
    all_params: bool = False
    with_installed: bool = False


class Importing(Struct, frozen=True, tag=True):
    """A file, or the plugin of this name, is imported now."""

    name: str
    is_plugin: bool


class Benches(Struct, frozen=True, tag=True):
    """The benches that are wanted, and a line for each installed plugin that could not be loaded."""

    targets: tuple[RunTarget, ...]
    errors: tuple[str, ...]


class Refused(Struct, frozen=True, tag=True):
    """Why they cannot be described, in one line."""

    problem: str


def describe(wanted: BenchSelection, announce: Callable[[Importing], object]) -> Benches:
    """Return the wanted benches of this environment.

    Raises:
        HarnessError: one is not there, cannot be loaded, or has no such parameter.

    """
    settings = parse_settings(wanted.params)
    files = [name for name in wanted.names if name.partition("::")[0].endswith(".py")]
    selected: list[LocatedBench] = []
    errors: list[str] = []
    for file in files:
        announce(Importing(file.partition("::")[0], is_plugin=False))
        selected += locate_benches(file)
    is_all = wanted.with_installed or not wanted.names
    if is_all or len(files) < len(wanted.names):
        found, problems = installed_benches(lambda name: announce(Importing(name, is_plugin=True)), wanted.left_out)
        errors += map(str, problems)
        others = [name for name in wanted.names if name not in files]
        selected += found if is_all else select_benches(found, others)
        if not (selected or errors or wanted.left_out or wanted.all_params):
            raise UsageError("no bench is installed: install aether-pack-bench or aether-stream-bench")
    selected = qualify(selected)
    check_distinct(selected)
    targets = map(_with_defaults, selected) if wanted.all_params else _with_params(selected, settings)
    return Benches(tuple(targets), tuple(errors))


def _with_defaults(found: LocatedBench) -> RunTarget:
    """Return the target of a bench under its defaults, those included that a summary leaves out."""
    params = found.bench.params_type()
    return replace(target_of(found, params), params=msgspec.to_builtins(asdict(params)))


def _with_params(selected: Sequence[LocatedBench], settings: dict[str, dict[str, str]]) -> list[RunTarget]:
    """Return the targets of a run, every setting given to its bench; one a point where a setting is a list.

    Raises:
        UsageError: a setting is for a bench that is not in the run, or does not fit it.

    """
    known = {name for item in selected for name in (item.bench_id, item.name)}
    for name in settings:
        if name not in known:
            raise UsageError(f"-p {name}.…: no such bench in this run{suggestion(name, known)}")
    targets: list[RunTarget] = []
    for item in selected:
        mine = {**settings.get(item.bench_id, {}), **settings.get(item.name, {})}
        targets += expand_sweep(item, mine)
    return targets


def main() -> int:
    """Answer and return the exit status."""
    own = os.getpid()
    # Output of a bench file during import is not part of the answer.
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())

    def say(message: object) -> None:
        if os.getpid() != own:
            os._exit(0)  # a child that the bench's file left behind must not answer too
        answer.write(msgspec.json.encode(message) + b"\n")

    in_lines = False
    try:
        wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=BenchSelection)
        in_lines = wanted.in_lines
        benches = describe(wanted, say if in_lines else lambda _: None)
        if benches.errors and not (wanted.names or in_lines):
            raise UsageError(benches.errors[0])
        say(benches if in_lines else benches.targets)
    except (HarnessError, msgspec.MsgspecError) as error:
        if in_lines:
            say(Refused(str(error)))
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    return 0


if __name__ == "__main__":
    die_with_parent()
    watch_parent()
    sys.exit(main())
