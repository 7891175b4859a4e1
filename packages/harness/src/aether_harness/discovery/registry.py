"""Finding benches: installed plugins, a file of one's own, a command."""

from __future__ import annotations

from functools import partial, reduce
from importlib import import_module
from typing import TYPE_CHECKING

from aether_harness.benchmark.parameters import suggestion
from aether_harness.benchmark.protocol import ENTRY_POINT_GROUP, Benchmark
from aether_harness.discovery.locator import (
    BenchLocator,
    CommandAddress,
    EntryPointAddress,
    FileAddress,
    LocatedBench,
    check_bench,
    check_distinct,
)
from aether_harness.errors import HarnessError, UsageError, in_a_line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from importlib.metadata import EntryPoint


class PluginError(HarnessError):
    """A plugin names something that cannot be imported or is no bench."""


def load_bench(address: BenchLocator) -> Benchmark:
    """Return the bench at `address`.

    Raises:
        PluginError: it is not installed, cannot be imported, or is not a `Benchmark`.

    """
    if isinstance(address, CommandAddress):
        from aether_harness.benchmark.command_bench import CommandBench

        return CommandBench(address.name)
    if isinstance(address, FileAddress):
        from aether_harness.discovery.bench_file import load_benches

        return next(bench for bench in load_benches(address.path) if bench.bench_id == address.bench_id)
    if address.value is not None:
        return _load(address.name, address.value, partial(_named_object, address.value))
    # Takes long to import, as does looking through all that is installed.
    from importlib.metadata import entry_points

    matches = list(entry_points(group=ENTRY_POINT_GROUP, name=address.name))
    if not matches:
        raise PluginError(f"{address.name}: no such plugin is installed")
    return _load_entry_point(matches[0])


def installed_benches(
    announce: Callable[[str], object] = lambda _: None, left_out: Collection[str] = ()
) -> tuple[list[LocatedBench], list[PluginError]]:
    """Return every installed bench, by id, and an error for each plugin that could not be loaded.

    The name of a plugin is announced before it is imported; those `left_out` are not.
    """
    from importlib.metadata import entry_points

    found: list[LocatedBench] = []
    errors: list[PluginError] = []
    for entry_point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name):
        if entry_point.name in left_out:
            continue
        announce(entry_point.name)
        try:
            bench = _load_entry_point(entry_point)
            check_distinct([*(item.bench for item in found), bench])
        except PluginError as error:
            errors.append(error)
        except UsageError as error:
            errors.append(PluginError(f"{entry_point.value}: {error}"))
        else:
            found.append(LocatedBench(bench=bench, address=EntryPointAddress(entry_point.name, entry_point.value)))
    return sorted(found, key=lambda item: item.bench.bench_id), errors


def select_benches(found: Sequence[LocatedBench], wanted: Iterable[str]) -> list[LocatedBench]:
    """Return the benches whose id or short name is wanted, in that order.

    Raises:
        UsageError: no bench has a wanted name.

    """
    by_name = {name: item for item in found for name in (item.bench_id, item.name)}
    selected: dict[str, LocatedBench] = {}
    for name in wanted:
        if name not in by_name:
            raise UsageError(f"{name}: no such bench{suggestion(name, by_name)}")
        selected[by_name[name].bench_id] = by_name[name]
    return list(selected.values())


def _load_entry_point(entry_point: EntryPoint) -> Benchmark:
    return _load(entry_point.name, entry_point.value, entry_point.load)


def _named_object(value: str) -> object:
    module, _, attributes = value.partition(":")
    return reduce(getattr, filter(None, attributes.split(".")), import_module(module.strip()))


def _load(name: str, value: str, load: Callable[[], object]) -> Benchmark:
    try:
        bench = load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a bench does is reported, not raised
        problem = in_a_line(f"{type(error).__name__}: {error}")
        raise PluginError(f"{name}: {value} cannot be imported: {problem}") from None
    if not isinstance(bench, Benchmark):
        raise PluginError(f"{name}: {value} is no bench: see aether_harness.Benchmark")
    try:
        check_bench(bench)
    except UsageError as error:
        raise PluginError(f"{name}: {error}") from None
    return bench
