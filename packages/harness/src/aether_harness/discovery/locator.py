"""A bench to run: its name, the locator with which a worker finds it, and its parameters."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from msgspec import NODEFAULT, Struct
from msgspec.structs import fields, replace

from aether_harness.benchmark.parameters import params_as_scalars
from aether_harness.benchmark.protocol import Benchmark
from aether_harness.errors import UsageError, in_a_line
from aether_harness.reference.kernels import kernel_for
from aether_schema import UNIT_OF_METRIC, Metric, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# A short name becomes part of a file's name.
_SHORT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# As the summary has it.
_BENCH_ID = re.compile(r"[^\u0000-\u001f\u007f-\u009f]{1,200}")


class EntryPointAddress(Struct, frozen=True, tag="entry_point"):
    """A worker finds the bench behind this entry point of our group.

    `value` is the value of the entry point, `module:object`, so that a worker need not search all installed packages.
    """

    name: str
    value: str | None = None


class FileAddress(Struct, frozen=True, tag="file"):
    """A worker finds the bench with this id in this Python file."""

    path: str
    bench_id: str


class CommandAddress(Struct, frozen=True, tag="command"):
    """The bench is a command; its words are in the parameters."""

    name: str


BenchLocator = EntryPointAddress | FileAddress | CommandAddress


class LocatedBench(Struct, frozen=True, kw_only=True):
    """A bench that this process has imported, and where it came from.

    `qualifier` is the name of its file if benches of several files have the same name.
    """

    bench: Benchmark
    address: BenchLocator
    qualifier: str | None = None

    @property
    def bench_id(self) -> str:
        """The id in the summary: `parse`, or `json_bench/parse` with a qualifier."""
        return self.bench.bench_id if self.qualifier is None else f"{self.qualifier}/{self.bench.bench_id}"

    @property
    def name(self) -> str:
        """The short name: `parse`, or `json_bench-parse` with a qualifier."""
        return self.bench.name if self.qualifier is None else f"{self.qualifier.replace('/', '-')}-{self.bench.name}"


class Described(Struct, frozen=True, kw_only=True):
    """A bench and its parameters for a process that does not import it."""

    bench_id: str
    name: str
    metric: Metric
    address: BenchLocator
    params: dict[str, Any]


class Point(Struct, frozen=True, kw_only=True):
    """A target's place in a sweep: the bench that is swept, and the parameters that vary.

    `axes`, `size` and `columns` are the bench's choices for the table and plot of a sweep.
    """

    bench_id: str
    name: str
    varied: dict[str, Scalar]
    axes: tuple[str, str] | None = None
    size: str | None = None
    columns: tuple[str, ...] = ()


class Variant(Struct, frozen=True, kw_only=True):
    """The id and the short name of a bench with its parameters in them: `packaging[files=10]`, `pack-files-10`."""

    bench_id: str
    name: str


class RunTarget(Described, frozen=True, kw_only=True):
    """A bench to run with its parameters; `kernel_id` and `cross_kernel_id` are timed next to its samples.

    `variant` names it if its parameters are not the defaults.
    """

    about: str
    kernel_id: str
    cross_kernel_id: str
    point: Point | None = None
    variant: Variant | None = None


def target_of(found: LocatedBench, params: Struct) -> RunTarget:
    """Return the target of an imported bench under `params`.

    Raises:
        UsageError: the bench names a reference kernel that there is not.

    """
    bench = found.bench
    kernel = kernel_for(bench, params)
    return RunTarget(
        bench_id=found.bench_id,
        name=found.name,
        metric=bench.metric,
        address=found.address,
        params=params_as_scalars(params),
        about=in_a_line(str(bench.about)),
        kernel_id=kernel.kernel_id,
        cross_kernel_id=kernel.cross_kernel_id,
    )


def qualify(benches: Sequence[LocatedBench]) -> list[LocatedBench]:
    """Return the benches; those of several files with the same name are qualified by as much of the path as differs."""
    owners: dict[str, set[str]] = {}
    for item in benches:
        if isinstance(item.address, FileAddress):
            for name in (item.bench_id, item.name):
                owners.setdefault(name, set()).add(item.address.path)
    shared = {name for name, paths in owners.items() if len(paths) > 1}
    qualified = []
    for item in benches:
        if isinstance(item.address, FileAddress) and not shared.isdisjoint({item.bench_id, item.name}):
            others = owners[item.bench_id] | owners[item.name]
            item = replace(item, qualifier=_qualifier(item.address.path, others))  # noqa: PLW2901 - the same bench
        qualified.append(item)
    return qualified


def _qualifier(path: str, paths: Iterable[str]) -> str:
    """Return the end of `path` without `.py` that no other path has: `json_bench`, or `io/json_bench`."""
    parts = [part for part in os.path.splitext(path)[0].split(os.sep) if part]
    others = [os.path.splitext(other)[0] for other in paths if other != path]
    for count in range(1, len(parts)):
        end = "/".join(parts[-count:])
        if not any(other.replace(os.sep, "/").endswith(f"/{end}") for other in others):
            return end
    return "/".join(parts)


def check_distinct(benches: Iterable[Benchmark | Described | LocatedBench]) -> None:
    """Check that no two benches share an id or a short name, which identify files and settings.

    Raises:
        UsageError: two do.

    """
    taken: set[str] = set()
    for bench in benches:
        names = {bench.bench_id, bench.name}
        if taken & names:
            raise UsageError(f"two benches are named {', '.join(sorted(taken & names))}")
        taken |= names


def check_names(bench: Benchmark | Described) -> None:
    """Make sure that a summary can hold the id of a bench, and a file's name its short name.

    Raises:
        UsageError: one cannot.

    """
    if not isinstance(bench.bench_id, str) or not _BENCH_ID.fullmatch(bench.bench_id):
        raise UsageError(f"bench_id {bench.bench_id!r:.60} takes 1 to 200 characters, none of them a control character")
    if not isinstance(bench.name, str) or not _SHORT_NAME.fullmatch(bench.name):
        raise UsageError(f"{bench.bench_id}: the short name {bench.name!r} takes letters, digits, '.', '_' and '-'")


def check_bench(bench: Benchmark) -> None:
    """Make sure that the attributes of a bench make sense, before anything is measured.

    Raises:
        UsageError: one does not; the message names the bench and the attribute.

    """
    check_names(bench)
    if bench.metric not in UNIT_OF_METRIC:
        raise UsageError(f"{bench.bench_id}: metric {bench.metric!r}: takes {' or '.join(UNIT_OF_METRIC)}")
    if not isinstance(bench.params_type, type) or not issubclass(bench.params_type, Struct):
        raise UsageError(f"{bench.bench_id}: params_type is no msgspec Struct")
    for field in fields(bench.params_type):
        if field.default is NODEFAULT and field.default_factory is NODEFAULT:
            raise UsageError(f"{bench.bench_id}: params_type: {field.name} has no default")
    kernel_for(bench, bench.params_type())
