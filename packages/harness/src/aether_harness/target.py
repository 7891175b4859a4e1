"""What is run: a bench, where a worker finds it again, and the parameters it gets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_harness.error import UsageError
from aether_harness.plugin import Benchmark

if TYPE_CHECKING:
    from collections.abc import Iterable

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


class Target(Struct, frozen=True, kw_only=True):
    """A bench to run and the parameters to run it with."""

    found: Found
    params: Struct


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
