"""Finding benches: the installed plugins."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_harness.bench import ENTRY_POINT_GROUP, Benchmark
from aether_harness.error import HarnessError, UsageError
from aether_harness.parameter import suggestion
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Address(Struct, frozen=True, kw_only=True):
    """Where a worker process finds a bench again: an entry point of our group."""

    entry_point: str


class Found(Struct, frozen=True, kw_only=True):
    """A bench and where it came from."""

    bench: Benchmark
    address: Address


class PluginError(HarnessError):
    """A plugin names something that cannot be imported or is no bench."""


def load_bench(address: Address) -> Benchmark:
    """Import the bench at `address`.

    Raises:
        PluginError: it is not installed, cannot be imported, or is not a `Benchmark`.

    """
    matches = list(entry_points(group=ENTRY_POINT_GROUP, name=address.entry_point))
    if not matches:
        raise PluginError(f"{address.entry_point}: no such plugin is installed")
    return _load(matches[0])


def installed_benches() -> tuple[list[Found], list[PluginError]]:
    """Return every installed bench, by id, and an error for each plugin that could not be loaded."""
    found: dict[str, Found] = {}
    errors: list[PluginError] = []
    for entry_point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name):
        try:
            bench = _load(entry_point)
            names = {name for other in found.values() for name in (other.bench.bench_id, other.bench.name)}
            if {bench.bench_id, bench.name} & names:
                raise PluginError(f"{entry_point.value}: another plugin already has the name {bench.bench_id}")
        except PluginError as error:
            errors.append(error)
        else:
            found[bench.bench_id] = Found(bench=bench, address=Address(entry_point=entry_point.name))
    return [found[bench_id] for bench_id in sorted(found)], errors


def select_benches(found: Sequence[Found], wanted: Iterable[str]) -> list[Found]:
    """Return the benches whose id or short name is wanted, in that order; all where none is named.

    Raises:
        UsageError: no bench has a wanted name.

    """
    by_name = {name: item for item in found for name in (item.bench.bench_id, item.bench.name)}
    selected: dict[str, Found] = {}
    for name in wanted:
        if name not in by_name:
            raise UsageError(f"{name}: no such bench{suggestion(name, by_name)}")
        selected[by_name[name].bench.bench_id] = by_name[name]
    return list(selected.values()) or list(found)


def _load(entry_point: EntryPoint) -> Benchmark:
    try:
        bench = entry_point.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - somebody else's module, at import
        problem = printable(f"{type(error).__name__}: {error}")
        raise PluginError(f"{entry_point.name}: {entry_point.value} cannot be imported: {problem}") from None
    if not isinstance(bench, Benchmark):
        raise PluginError(f"{entry_point.name}: {entry_point.value} is no bench: see aether_harness.bench.Benchmark")
    return bench
