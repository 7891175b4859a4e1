"""The versions to compare: two revisions of a repository, two settings of a bench, two commands."""

from __future__ import annotations

import os
import re
import shlex
import sys
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from aether_compare.scheduler import ComparisonSpec
from aether_compare.settings import Variant, VariantPair
from aether_compare.side import VariantEnvironment
from aether_guard.errors import GuardError
from aether_harness.benchmark.command_bench import CommandParams, command_targets
from aether_harness.discovery.isolated import Interpreter, benches_of
from aether_harness.discovery.locator import CommandAddress, Described
from aether_harness.errors import HarnessError
from aether_schema import UNIT_OF_METRIC, Metric, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_compare.stats.sequential_test import TestSpec
    from aether_harness.discovery.description import BenchSelection

#: How long the import of a file may take.
IMPORT_LIMIT_S = 60.0
#: The name of a command that only a shell can read.
_ANY_COMMAND = "command"
_NO_BENCH_NAMED = re.compile(r"[^.=]+=.*", re.DOTALL)


def comparison_spec(match: VariantPair, rule: TestSpec) -> ComparisonSpec:
    """Return the question about a pair of variants: by `rule`, in the direction of its metric."""
    old, new = match.sides
    return ComparisonSpec(
        bench_id=match.bench_id,
        metric=match.metric,
        unit=match.unit,
        old_side=old.side,
        new_side=new.side,
        rule=replace(rule, lower_is_better=match.metric != "throughput_mbs"),
    )


def revision_pairs(
    sides: tuple[VariantEnvironment, VariantEnvironment], wanted: BenchSelection, limit_s: float = IMPORT_LIMIT_S
) -> list[VariantPair]:
    """Return a match for each bench that is wanted, all of the new side's where none is named.

    An import takes at most `limit_s`.

    Raises:
        GuardError: a side lacks one, or measures it in another unit; the message names the side.

    """
    old_side, new_side = sides
    new = discover_benches(new_side, wanted, limit_s)
    # Use the requested names if there are any: a name may be a file that each side has.
    names = wanted.names or tuple(bench.bench_id for bench in new)
    old = {bench.bench_id: bench for bench in discover_benches(old_side, replace(wanted, names=names), limit_s)}
    matches = []
    for ours in new:
        theirs = old.get(ours.bench_id)
        if theirs is None:
            raise GuardError(f"{old_side.name}: has no bench {ours.bench_id}")
        if theirs.metric != ours.metric:
            raise GuardError(f"{ours.bench_id}: metric: {theirs.metric} in {old_side.name}, {ours.metric} now")
        matches.append(_match((theirs, old_side), (ours, new_side)))
    return matches


def setting_pairs(
    wanted: BenchSelection, old: Sequence[str], new: Sequence[str], limit_s: float = IMPORT_LIMIT_S
) -> list[VariantPair]:
    """Return a match for each bench named, under two settings, `BENCH.KEY=VALUE` or of a single bench `KEY=VALUE`.

    An import takes at most `limit_s`.

    Raises:
        GuardError: no bench is named, or there is no such bench or parameter.

    """
    if not wanted.names:
        raise GuardError("-A and -B want a bench, named first: aether-guard ab packaging -A level=1 -B level=6")
    is_short = any(_NO_BENCH_NAMED.fullmatch(text) for text in (*old, *new))
    benches = _described_here(wanted, limit_s) if is_short else ()
    sides = []
    for option, given in (("-A", old), ("-B", new)):
        texts = [_with_bench(text, option, benches) for text in given]
        described = _described_here(replace(wanted, params=(*wanted.params, *texts)), limit_s)
        sides.append([(bench, _settings_side(bench, texts)) for bench in described])
    return [_match(ours, theirs) for ours, theirs in zip(*sides, strict=True)]


def command_pairs(old: CommandParams, new: CommandParams) -> list[VariantPair]:
    """Return the match of two commands.

    Raises:
        GuardError: one is empty, or its quotes do not match; names the option.

    """
    programs = [_program_name(params, option) for params, option in ((old, "--exec-a"), (new, "--exec-b"))]
    for option, command in (("--prepare", old.prepare), ("--cleanup", old.cleanup)):
        if command:
            _program_name(replace(old, command=command), option)
    names = list(dict.fromkeys(programs))
    metric: Metric = "value" if old.measure == "memory" else "duration_ms"
    unit = UNIT_OF_METRIC.get(metric, "MB")
    bench_id = " vs ".join(reversed(names))
    contestants = [
        Variant(
            side=printable(params.command),
            python=sys.executable,
            folder=os.getcwd(),
            address=CommandAddress(_ANY_COMMAND),
            params=msgspec.Raw(msgspec.json.encode(params)),
        )
        for params in (old, new)
    ]
    return [VariantPair(bench_id=bench_id, metric=metric, unit=unit, sides=(contestants[0], contestants[1]))]


def _described_here(wanted: BenchSelection, limit_s: float) -> Sequence[Described]:
    """Return the wanted benches of this process's environment."""
    try:
        return benches_of(wanted, limit_s)
    except HarnessError as error:
        raise GuardError(str(error)) from None


def _with_bench(text: str, option: str, benches: Sequence[Described]) -> str:
    """Return a setting with the bench it is for, the only one where none stands in it."""
    if not _NO_BENCH_NAMED.fullmatch(text):
        return text
    if len(benches) > 1:
        raise GuardError(f"{option} {text}: write BENCH.KEY=VALUE, for there are {len(benches)} benches")
    return f"{benches[0].name}.{text}"


def _settings_side(bench: Described, texts: Sequence[str]) -> VariantEnvironment:
    setting_pairs = [text.partition(".") for text in texts]
    name = " ".join(setting for owner, _, setting in setting_pairs if owner in {bench.name, bench.bench_id})
    return VariantEnvironment(name=printable(name) or "default", python=sys.executable, folder=os.getcwd())


def _program_name(params: CommandParams, option: str) -> str:
    """Return the name of the command after checking its syntax.

    Raises:
        GuardError: it is empty, or its quotes do not match; names the option.

    """
    if params.shell and params.command.strip():
        return _ANY_COMMAND
    try:
        return command_targets([params.command], [])[0].bench_id
    except HarnessError as error:
        raise GuardError(str(error).replace("--exec", option, 1)) from None


def fill_placeholders(command: str, input_path: str | None) -> str:
    """Return the command with `{input}` replaced by the path, quoted for a shell.

    Raises:
        GuardError: it asks for an input and there is none.

    """
    if "{input}" not in command:
        return command
    if input_path is None:
        raise GuardError("{input} stands in a command: say which file with --input FILE")
    return command.replace("{input}", shlex.quote(input_path))


def discover_benches(side: VariantEnvironment, wanted: BenchSelection, limit_s: float) -> Sequence[Described]:
    """Return the benches of a side's own environment.

    Raises:
        GuardError: it has no such bench, or a harness that does not describe benches; names the side.

    """
    interpreter = Interpreter(python=side.python, folder=side.folder, changes=side.env_overrides)
    try:
        return benches_of(wanted, limit_s, interpreter)
    except HarnessError as error:
        problem = str(error)
        if "No module named aether_harness" in problem:
            problem = "its aether-harness is missing or too old to be asked for its benches"
        raise GuardError(f"{side.name}: {problem}") from None


def _match(old: tuple[Described, VariantEnvironment], new: tuple[Described, VariantEnvironment]) -> VariantPair:
    contestants = [
        Variant(
            side=side.name,
            python=side.python,
            folder=side.folder,
            changes=side.env_overrides,
            address=bench.address,
            params=msgspec.Raw(msgspec.json.encode(bench.params)),
        )
        for bench, side in (old, new)
    ]
    metric = new[0].metric
    unit = UNIT_OF_METRIC[metric]
    return VariantPair(bench_id=new[0].bench_id, metric=metric, unit=unit, sides=(contestants[0], contestants[1]))
