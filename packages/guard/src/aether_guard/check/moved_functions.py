"""Name the functions whose exact counts moved most between two summaries. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from aether_schema import printable

if TYPE_CHECKING:
    from aether_guard.check.verdict import Verdict
    from aether_schema import Summary

COUNT = "bytecodes"
#: At most this many functions are named.
NAMED = 3
#: A smaller change of the whole count does not explain a change of the time.
MIN_CHANGE = 0.005
#: A function with a smaller share of the change is not named.
_MIN_SHARE = 0.1


class MovedFunction(Struct, frozen=True, kw_only=True):
    """A function, its counts on both sides, and its share of the change of all functions that moved the same way."""

    name: str
    baseline: int
    current: int
    share: float


class CountChange(Struct, frozen=True, kw_only=True):
    """The relative change of the whole count, and the functions that moved most."""

    change: float
    functions: tuple[MovedFunction, ...] = ()


def count_change(baseline: Summary, current: Summary, verdict: Verdict) -> CountChange | None:
    """Return how the counts of the functions changed in the direction of the verdict.

    None if a side has no counts, or another Python counted them.
    """
    if not baseline.functions or not current.functions or not same_python(baseline, current):
        return None
    old = {name: counts.get(COUNT, 0) for name, counts in baseline.functions.items()}
    new = {name: counts.get(COUNT, 0) for name, counts in current.functions.items()}
    before, after = sum(old.values()), sum(new.values())
    if not before:
        return None
    sign = 1 if verdict == "regression" else -1
    moves = {name: sign * (new.get(name, 0) - old.get(name, 0)) for name in {**old, **new}}
    total = sum(move for move in moves.values() if move > 0)
    ranked = sorted((name for name in moves if moves[name] > 0), key=lambda name: (-moves[name], name))
    functions = tuple(
        MovedFunction(name=name, baseline=old.get(name, 0), current=new.get(name, 0), share=moves[name] / total)
        for name in ranked[:NAMED]
        if moves[name] >= _MIN_SHARE * total
    )
    change = after / before - 1
    return CountChange(change=change, functions=functions if sign * change > MIN_CHANGE else ())


def describe_counts(found: CountChange) -> str:
    """Return the functions that moved, or that the cause is not in the Python code."""
    if not found.functions:
        return (
            f"the Python code ran as many bytecodes ({found.change * 100:+.1f} %): look at I/O, caches, locks, "
            "and other versions of libraries"
        )
    named = ", ".join(
        f"{printable(item.name)} {item.baseline:,} to {item.current:,} bytecodes" for item in found.functions
    )
    return f"mostly in {named}"


def same_python(baseline: Summary, current: Summary) -> bool:
    """Return whether both sides ran on the same minor version of Python, whose bytecodes can be compared."""
    versions = [str((side.environment or {}).get("python")).split(".")[:2] for side in (baseline, current)]
    return versions[0] == versions[1]
