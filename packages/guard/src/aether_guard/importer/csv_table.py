"""CSV with named columns: a name, a value and a unit; rows of one name are its samples.

The columns are found by the usual names, or by `--column name=Bench`. There may be a `round` (samples of one process),
a direction in `better`, and `p95` and `n` where a row is a summary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from aether_guard.importer.problem import ImportProblem
from aether_guard.importer.series import Series
from aether_guard.importer.table import delimiter_of, number_in, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aether_guard.importer.document import Document
    from aether_guard.importer.series import Wishes
    from aether_schema import Better

ABOUT = "CSV with columns for name, value and unit (--column, --unit)"
SUFFIXES: tuple[str, ...] = (".csv", ".tsv")
#: By what names a column is found, where none was given.
USUAL: dict[str, tuple[str, ...]] = {
    "name": ("bench_id", "name", "bench", "benchmark"),
    "value": ("value", "p50", "median"),
    "unit": ("unit",),
    "better": ("better",),
    "round": ("round",),
    "p95": ("p95",),
    "n": ("n",),
}
_NEEDED = ("name", "value")
_WAYS: dict[str, Better] = {"lower": "lower", "higher": "higher"}


class _Row(Struct, frozen=True, kw_only=True):
    line: int
    value: float
    unit: str
    round: str
    better: str
    p95: float | None
    n: int


def recognises(document: Document) -> bool:
    """Return whether the header has the usual names of a name, a value and a unit."""
    if document.head.lstrip()[:1] in {"{", "[", "<"}:
        return False
    header = _header(document)
    return all(set(USUAL[key]) & set(header) for key in (*_NEEDED, "unit"))


def read(document: Document, wishes: Wishes) -> Iterator[Series]:
    """Yield a name each, with its rows as samples, or as a summary where a row has a p95."""
    header = _header(document)
    columns = {key: _column(key, header, wishes.columns) for key in USUAL}
    if columns["unit"] is None and wishes.unit is None:
        raise ImportProblem("no column for the unit: add --column unit=NAME, or --unit for all", place="line 1")
    rows: dict[str, list[_Row]] = {}
    for line, cells in rows_of(document, [column for column in columns.values() if column is not None]):
        rows.setdefault(cells[columns["name"] or ""], []).append(_row(line, cells, columns, wishes))
    for name, of_bench in rows.items():
        yield _series(name, of_bench)


def _series(name: str, rows: Sequence[_Row]) -> Series:
    first = rows[0]
    for row in rows:
        if (row.unit, row.better) != (first.unit, first.better):
            problem = f"{name}: another unit or direction than in line {first.line}"
            raise ImportProblem(problem, place=f"line {row.line}")
        if row.p95 is not None and len(rows) > 1:
            raise ImportProblem(f"{name}: a second summary; samples have no p95", place=f"line {row.line}")
    better = _WAYS.get(first.better)
    if first.p95 is not None:
        return Series(name=name, unit=first.unit, better=better, p50=first.value, p95=first.p95, n=first.n)
    rounds: dict[str, list[float]] = {}
    for row in rows:
        rounds.setdefault(row.round, []).append(row.value)
    return Series(name=name, unit=first.unit, better=better, rounds=tuple(map(tuple, rounds.values())))


def _row(line: int, cells: Mapping[str, str], columns: Mapping[str, str | None], wishes: Wishes) -> _Row:
    texts = {key: cells[column].strip() for key, column in columns.items() if column is not None}
    better = texts.get("better", "").lower()
    if better and better not in _WAYS:
        place = f"line {line}, column {columns['better']}"
        raise ImportProblem(f"{better[:40]!r} is neither lower nor higher", place=place)
    p95 = number_in(dict(cells), columns["p95"] or "", line) if texts.get("p95") else None
    n = number_in(dict(cells), columns["n"] or "", line) if texts.get("n") else 1
    if not 1 <= n < 2**63:
        raise ImportProblem(f"{n:g} samples are no run", place=f"line {line}, column {columns['n']}")
    return _Row(
        line=line,
        value=number_in(dict(cells), columns["value"] or "", line),
        unit=texts.get("unit") or wishes.unit or "",
        round=texts.get("round", ""),
        better=better,
        p95=p95,
        n=int(n),
    )


def _header(document: Document) -> list[str]:
    line = document.head.partition("\n")[0].strip()
    return [name.strip().strip('"') for name in line.split(delimiter_of(document))]


def _column(key: str, header: Sequence[str], given: Mapping[str, str]) -> str | None:
    if key in given:
        if given[key] not in header:
            raise ImportProblem(f"no column {given[key]!r}; there are: {', '.join(header)}", place="line 1")
        return given[key]
    found = next((name for name in USUAL[key] if name in header), None)
    if found is None and key in _NEEDED:
        problem = f"no column for the {key}: add --column {key}=NAME; there are: {', '.join(header)}"
        raise ImportProblem(problem, place="line 1")
    return found
