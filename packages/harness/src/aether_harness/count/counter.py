"""The interface of a counter, and the built-in counters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from aether_harness.count.bytecodes import count_bytecodes
from aether_harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Entry points of counters: functions as `Counter` describes.
ENTRY_POINT_GROUP = "aether.counters"
#: A summary holds this many functions, those with the largest counts.
FUNCTIONS_LIMIT = 100


class CountResult(Struct, frozen=True, kw_only=True):
    """The count of one operation. `functions` divides it: by `module:function`, the counts of each by name."""

    total: float
    unit: str
    functions: dict[str, dict[str, int]] = {}


class Counter(Protocol):
    """Counts something while an operation is done once."""

    def __call__(self, operation: Callable[[], object]) -> CountResult:
        """Do the operation and return its count."""


def bytecodes(operation: Callable[[], object]) -> CountResult:
    """Count the bytecode instructions that this thread runs, and the calls of each function."""
    counts = count_bytecodes(operation)
    ranked = sorted(counts.items(), key=lambda item: (-item[1][0], item[0]))[:FUNCTIONS_LIMIT]
    return CountResult(
        total=sum(count for count, _ in counts.values()),
        unit="bytecodes",
        functions={name: {"bytecodes": count, "calls": calls} for name, (count, calls) in ranked},
    )


BUILT_IN: dict[str, Counter] = {"bytecodes": bytecodes}


def load_counter(name: str) -> Counter:
    """Return the counter of this name.

    Raises:
        UsageError: there is none.

    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    from importlib.metadata import entry_points

    found = list(entry_points(group=ENTRY_POINT_GROUP, name=name))
    if not found:
        known = sorted({*BUILT_IN, *(entry.name for entry in entry_points(group=ENTRY_POINT_GROUP))})
        raise UsageError(f"--count {name}: no such counter; known: auto, none, {', '.join(known)}")
    counter: Counter = found[0].load()
    return counter


def check_counters(names: Iterable[str]) -> None:
    """Check that there are counters of these names.

    Raises:
        UsageError: there is none of a name.

    """
    for name in names:
        load_counter(name)
