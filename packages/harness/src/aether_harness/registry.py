"""Finding benches: installed plugins, a file of one's own, a command."""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_harness.error import HarnessError, UsageError
from aether_harness.parameter import suggestion
from aether_harness.plugin import ENTRY_POINT_GROUP, Benchmark
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# A short name becomes part of a file's name.
_SHORT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class EntryPointAddress(Struct, frozen=True, tag="entry_point"):
    """A worker finds the bench behind this entry point of our group."""

    name: str


class FileAddress(Struct, frozen=True, tag="file"):
    """A worker finds the bench with this id in this Python file."""

    path: str
    bench_id: str


class CommandAddress(Struct, frozen=True, tag="command"):
    """The bench is a command; its words are in the parameters."""

    name: str


Address = EntryPointAddress | FileAddress | CommandAddress


class Found(Struct, frozen=True, kw_only=True):
    """A bench and where it came from."""

    bench: Benchmark
    address: Address


class PluginError(HarnessError):
    """A plugin names something that cannot be imported or is no bench."""


def load_bench(address: Address) -> Benchmark:
    """Return the bench at `address`.

    Raises:
        PluginError: it is not installed, cannot be imported, or is not a `Benchmark`.

    """
    if isinstance(address, CommandAddress):
        from aether_harness.executable import CommandBench

        return CommandBench(address.name)
    if isinstance(address, FileAddress):
        from aether_harness.script import benches_in_file

        return next(bench for bench in benches_in_file(address.path) if bench.bench_id == address.bench_id)
    matches = list(entry_points(group=ENTRY_POINT_GROUP, name=address.name))
    if not matches:
        raise PluginError(f"{address.name}: no such plugin is installed")
    return _load(matches[0])


def installed_benches() -> tuple[list[Found], list[PluginError]]:
    """Return every installed bench, by id, and an error for each plugin that could not be loaded."""
    found: list[Found] = []
    errors: list[PluginError] = []
    for entry_point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name):
        try:
            bench = _load(entry_point)
            check_distinct([*(item.bench for item in found), bench])
        except PluginError as error:
            errors.append(error)
        except UsageError as error:
            errors.append(PluginError(f"{entry_point.value}: {error}"))
        else:
            found.append(Found(bench=bench, address=EntryPointAddress(entry_point.name)))
    return sorted(found, key=lambda item: item.bench.bench_id), errors


def select_benches(found: Sequence[Found], wanted: Iterable[str]) -> list[Found]:
    """Return the benches whose id or short name is wanted, in that order.

    Raises:
        UsageError: no bench has a wanted name.

    """
    by_name = {name: item for item in found for name in (item.bench.bench_id, item.bench.name)}
    selected: dict[str, Found] = {}
    for name in wanted:
        if name not in by_name:
            raise UsageError(f"{name}: no such bench{suggestion(name, by_name)}")
        selected[by_name[name].bench.bench_id] = by_name[name]
    return list(selected.values())


def check_distinct(benches: Iterable[Benchmark]) -> None:
    """Make sure that no two benches share an id or a short name, by which files and settings are told apart.

    Raises:
        UsageError: two do.

    """
    taken: set[str] = set()
    for bench in benches:
        names = {bench.bench_id, bench.name}
        if taken & names:
            raise UsageError(f"two benches are named {', '.join(sorted(taken & names))}")
        taken |= names


def check_short_name(bench: Benchmark) -> None:
    """Make sure that the short name can stand in a file's name.

    Raises:
        UsageError: it cannot.

    """
    if not _SHORT_NAME.fullmatch(bench.name):
        raise UsageError(f"{bench.bench_id}: the short name {bench.name!r} takes letters, digits, '.', '_' and '-'")


def _load(entry_point: EntryPoint) -> Benchmark:
    try:
        bench = entry_point.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - somebody else's module, at import
        problem = printable(f"{type(error).__name__}: {error}")
        raise PluginError(f"{entry_point.name}: {entry_point.value} cannot be imported: {problem}") from None
    if not isinstance(bench, Benchmark):
        raise PluginError(f"{entry_point.name}: {entry_point.value} is no bench: see aether_harness.Benchmark")
    try:
        check_short_name(bench)
    except UsageError as error:
        raise PluginError(f"{entry_point.name}: {error}") from None
    return bench
