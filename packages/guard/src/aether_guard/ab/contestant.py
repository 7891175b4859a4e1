"""Who stands against whom: two revisions of a repository, two settings of a bench, two commands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from aether_guard.ab.duel import Contestant
from aether_guard.ab.side import Side
from aether_guard.error import GuardError
from aether_harness.described import Described, Wanted, describe
from aether_harness.error import HarnessError
from aether_harness.executable import CommandParams, command_targets
from aether_schema import UNIT_OF_METRIC, Metric, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

_DESCRIBE_LIMIT_S = 60.0
_NO_BENCH_NAMED = re.compile(r"[^.=]+=.*", re.DOTALL)


class Match(Struct, frozen=True, kw_only=True):
    """Two versions of one bench, the old and the new."""

    bench_id: str
    metric: Metric
    unit: str
    sides: tuple[Contestant, Contestant]


def revisions(sides: tuple[Side, Side], wanted: Wanted) -> list[Match]:
    """Return a match for each bench that is wanted, all of the new side's where none is named.

    Raises:
        GuardError: a side lacks one, or measures it in another unit; the message names the side.

    """
    old_side, new_side = sides
    new = described_by(new_side, wanted)
    # By the names that were asked for where there are any: they may be files, which each side has its own of.
    names = wanted.names or tuple(bench.bench_id for bench in new)
    old = {bench.bench_id: bench for bench in described_by(old_side, replace(wanted, names=names))}
    matches = []
    for ours in new:
        theirs = old.get(ours.bench_id)
        if theirs is None:
            raise GuardError(f"{old_side.name}: has no bench {ours.bench_id}")
        if theirs.metric != ours.metric:
            raise GuardError(f"{ours.bench_id}: metric: {theirs.metric} in {old_side.name}, {ours.metric} now")
        matches.append(_match((theirs, old_side), (ours, new_side)))
    return matches


def settings(wanted: Wanted, old: Sequence[str], new: Sequence[str]) -> list[Match]:
    """Return the match of one bench under two settings, `KEY=VALUE` or `BENCH.KEY=VALUE` each.

    Raises:
        GuardError: there is no such bench or parameter, or more than one bench.

    """
    if len(wanted.names) != 1:
        raise GuardError("-A and -B take one bench, named first: aether-guard ab packaging -A level=1 -B level=6")
    described = []
    for given in (old, new):
        texts = [f"{wanted.names[0]}.{text}" if _NO_BENCH_NAMED.fullmatch(text) else text for text in given]
        try:
            described += describe(replace(wanted, params=(*wanted.params, *texts)))
        except HarnessError as error:
            raise GuardError(str(error)) from None
    names = [" ".join(given) or "default" for given in (old, new)]
    sides = [Side(name=name, python=sys.executable, folder=os.getcwd()) for name in names]
    return [_match((described[0], sides[0]), (described[1], sides[1]))]


def commands(old: CommandParams, new: CommandParams) -> list[Match]:
    """Return the match of two commands.

    Raises:
        GuardError: one is empty, or its quotes do not match.

    """
    try:
        targets = [] if old.shell else command_targets([old.command, new.command], [])
    except HarnessError as error:
        raise GuardError(str(error).replace("--exec", "--exec-a or --exec-b", 1)) from None
    names = list(dict.fromkeys(target.found.bench.bench_id for target in targets)) or ["command"]
    unit = "MB" if old.measure == "memory" else "ms"
    bench_id = " vs ".join(reversed(names))
    contestants = [
        Contestant(
            side=printable(params.command),
            python=sys.executable,
            folder=os.getcwd(),
            address=command_targets(["command"], ["command"])[0].found.address,
            params=msgspec.Raw(msgspec.json.encode(params)),
        )
        for params in (old, new)
    ]
    return [Match(bench_id=bench_id, metric="duration_ms", unit=unit, sides=(contestants[0], contestants[1]))]


def filled(command: str, input_path: str | None) -> str:
    """Return the command with `{input}` replaced by the path, quoted for a shell.

    Raises:
        GuardError: it asks for an input and there is none.

    """
    if "{input}" not in command:
        return command
    if input_path is None:
        raise GuardError("{input} stands in a command: say which file with --input FILE")
    return command.replace("{input}", shlex.quote(input_path))


def described_by(side: Side, wanted: Wanted) -> list[Described]:
    """Return the benches of a side's own environment.

    Raises:
        GuardError: it has no such bench, or a harness that does not describe benches; names the side.

    """
    command = [side.python, "-P", "-m", "aether_harness.described"]
    try:
        done = subprocess.run(
            command,
            input=msgspec.json.encode(wanted),
            capture_output=True,
            cwd=side.folder,
            env={**os.environ, **side.changes},
            timeout=_DESCRIBE_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise GuardError(f"{side.name}: its benches did not load within {_DESCRIBE_LIMIT_S:g} s") from None
    except OSError as error:
        raise GuardError(f"{side.name}: {side.python}: {(error.strerror or str(error)).lower()}") from None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        problem = lines[-1] if lines else f"exit status {done.returncode}"
        if "No module named aether_harness" in problem:
            problem = "its aether-harness is missing or too old to be asked for its benches"
        raise GuardError(f"{side.name}: {printable(problem)}")
    try:
        return msgspec.json.decode(done.stdout, type=list[Described])
    except msgspec.MsgspecError:
        raise GuardError(f"{side.name}: its aether-harness describes benches in another way: versions differ") from None


def _match(old: tuple[Described, Side], new: tuple[Described, Side]) -> Match:
    contestants = [
        Contestant(
            side=side.name,
            python=side.python,
            folder=side.folder,
            changes=side.changes,
            address=bench.address,
            params=bench.params,
        )
        for bench, side in (old, new)
    ]
    metric = new[0].metric
    unit = UNIT_OF_METRIC[metric]
    return Match(bench_id=new[0].bench_id, metric=metric, unit=unit, sides=(contestants[0], contestants[1]))
