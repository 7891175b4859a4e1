"""The series of one bench: its runs in order, including runs under earlier names. Pure."""

from __future__ import annotations

import json
from bisect import bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from aether_history.run_order import order_runs
from aether_schema import Better, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A bench's name, its metric, unit, direction, and its parameters as JSON.
_Key = tuple[str, ...]
#: The columns that `build_series` reads.
COLUMNS = (
    "bench_id, metric, unit, better, params, timestamp, commit, commit_time, branch, environment, kernel, ruler, "
    "{value} AS value"
)


class Point(Struct, frozen=True, kw_only=True):
    """One run of a bench: its figure in the series' unit, and where it comes from; `ruler` in milliseconds."""

    value: float
    timestamp: str
    commit: str | None
    environment: str
    kernel: str | None
    ruler: float | None


class Series(Struct, frozen=True, kw_only=True):
    """The comparable runs of a bench, oldest first, and notes on them, a line each."""

    name: str
    unit: str
    better: Better
    points: tuple[Point, ...]
    notes: tuple[str, ...] = ()

    @property
    def values(self) -> list[float]:
        """The figures, oldest first."""
        return [point.value for point in self.points]


def build_series(
    columns: Mapping[str, Any], renamed: Mapping[str, str], known: Mapping[str, int], *, one_branch: bool
) -> list[Series]:
    """Return a series for each bench, or several where its unit or parameters changed, in order of their names.

    Args:
        columns: the columns of `COLUMNS`, by timestamp.
        renamed: present names by earlier ones.
        known: commits with their places in git's order.
        one_branch: whether only the runs of one branch were asked for.

    """
    lists = {name: _to_list(column) for name, column in columns.items()}
    groups: dict[_Key, list[int]] = {}
    for at, bench_id in enumerate(lists["bench_id"]):
        name = renamed.get(bench_id, bench_id)
        key = (name, *(lists[part][at] for part in ("metric", "unit", "better")), lists["params"][at] or "{}")
        groups.setdefault(key, []).append(at)
    alike: dict[str, list[_Key]] = {}
    for key in groups:
        alike.setdefault(key[0], []).append(key)
    labels = {key: label for keys in alike.values() for key, label in _labels(keys).items()}
    return [_series(labels[key], key, groups[key], lists, known, one_branch=one_branch) for key in sorted(groups)]


def possible_renames(series: Sequence[Series]) -> list[str]:
    """Return a line for each bench that begins where another of its kind ended: it may be the same."""
    begun: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for place, one in enumerate(series):
        begun.setdefault((one.unit, one.better), []).append((one.points[0].timestamp, place))
    for of_kind in begun.values():
        of_kind.sort()
    lines = []
    for old in series:
        of_kind = begun[old.unit, old.better]
        # The only one that begins later begins last.
        if bisect_right(of_kind, old.points[-1].timestamp, key=itemgetter(0)) == len(of_kind) - 1:
            new = series[of_kind[-1][1]]
            lines.append(
                printable(
                    f"{old.name}: ends where {new.name} begins; if that is its new name: "
                    f"--renamed {old.name}={new.name}"
                )
            )
    return lines


def _series(  # noqa: PLR0913 - what a series is made of
    name: str,
    key: _Key,
    rows: Sequence[int],
    lists: Mapping[str, list[Any]],
    known: Mapping[str, int],
    *,
    one_branch: bool,
) -> Series:
    of = {column: [lists[column][at] for at in rows] for column in lists}
    order = order_runs(of["timestamp"], of["commit"], of["commit_time"], known)
    notes = []
    if order.reordered:
        notes.append(f"{_runs(order.reordered)} stand in the order of commits, which their clocks contradict")
    if order.unknown:
        first = ", ".join(commit[:10] for commit in order.unknown[:3])
        more = f" and {len(order.unknown) - 3} more" if len(order.unknown) > 3 else ""
        notes.append(printable(f"placed by time: git does not know {first}{more} (rebased, or not fetched)"))
    branches = sorted({branch for branch in of["branch"] if branch})
    if len(branches) > 1 and not one_branch:
        shown = ", ".join(branches[:3]) + (", …" if len(branches) > 3 else "")
        notes.append(printable(f"runs of {len(branches)} branches together ({shown}); --branch takes one"))
    points = tuple(
        Point(
            value=float(of["value"][at]),
            timestamp=of["timestamp"][at],
            commit=of["commit"][at],
            environment=of["environment"][at] or "{}",
            kernel=of["kernel"][at],
            ruler=of["ruler"][at],
        )
        for at in order.places
    )
    _, _, unit, better, _ = key
    return Series(
        name=name, unit=unit, better="lower" if better == "lower" else "higher", points=points, notes=tuple(notes)
    )


def _labels(keys: Sequence[_Key]) -> dict[_Key, str]:
    """Return the names of one bench's series: its own, with the unit and parameters that distinguish them."""
    units = {key[2] for key in keys}
    params = [_object(key[4]) for key in keys]
    seen: dict[str, set[str]] = {}
    for own in params:
        for part, value in own.items():
            seen.setdefault(part, set()).add(repr(value))
    telling = sorted(part for part, values in seen.items() if len(values) > 1 or any(part not in own for own in params))
    labels = {}
    for key, own in zip(keys, params, strict=True):
        details = [key[2]] if len(units) > 1 else []
        details += [f"{part}={own[part]}" for part in telling if part in own]
        labels[key] = f"{key[0]} ({', '.join(details)})" if details else key[0]
    return labels


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {"params": text[:40]}
    return value if isinstance(value, dict) else {"params": text[:40]}


def _to_list(column: Any) -> list[Any]:  # noqa: ANN401 - numpy's arrays, masked where something is missing
    """Return a column as a list in which None is nothing."""
    values: list[Any] = column.tolist()
    return [None if value is None or value != value else value for value in values]  # noqa: PLR0124 - a NaN


def _runs(count: int) -> str:
    return f"{count:,} run{'' if count == 1 else 's'}"
