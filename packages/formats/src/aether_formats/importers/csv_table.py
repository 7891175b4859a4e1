"""CSV with named columns: a name, a value and a unit; rows of one name are its samples.

The columns are found by the usual names, or by `--column name=Bench`. There may be a `round` (samples of one process),
a direction in `better`, and where a row is a summary its statistics `p50`, `p95` and `mean` of `n` samples.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_formats.errors import ImportFileError
from aether_formats.model import BENCHES_LIMIT, ImportedSeries
from aether_formats.reading.csv_rows import delimiter_of, parse_number, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document
    from aether_schema import Better

ABOUT = "CSV with columns for name, value and unit (--column, --unit)"
SUFFIXES: tuple[str, ...] = (".csv", ".tsv")
#: The names by which a column is found, where none was given.
USUAL: dict[str, tuple[str, ...]] = {
    "name": ("bench_id", "name", "bench", "benchmark"),
    "value": ("value",),
    "p50": ("p50", "median"),
    "unit": ("unit",),
    "better": ("better",),
    "round": ("round",),
    "p95": ("p95",),
    "mean": ("mean", "average", "avg"),
    "n": ("n",),
}
# Our own export puts an apostrophe before a text that a spreadsheet would take for a formula.
_INERT = re.compile(r"^'(?='*[=+\-@\t\r])")
_STATISTICS = ("p50", "p95", "mean")
_WAYS: dict[str, Better] = {"lower": "lower", "higher": "higher"}


class _Row(Struct, frozen=True, kw_only=True):
    line: int
    value: float | None
    unit: str
    round: str
    better: str
    p50: float | None
    p95: float | None
    mean: float | None
    n: int


def matches(document: Document) -> bool:
    """Return whether the header has the usual names of a name, a value and a unit."""
    if document.head.lstrip()[:1] in {"{", "[", "<"}:
        return False
    header = _header(document)
    names = set(header)
    figures = {*USUAL["value"], *USUAL["p50"], *USUAL["mean"]}
    return all(names & usual for usual in (set(USUAL["name"]), figures, set(USUAL["unit"])))


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield a name each, with its rows as samples, or as a summary where a row has a p95 or a mean."""
    header = _header(document)
    columns = {key: _column(key, header, options.columns) for key in USUAL}
    if columns["name"] is None:
        raise _missing("name", header)
    if columns["value"] is None and not any(columns[key] for key in _STATISTICS):
        raise _missing("value", header)
    if columns["unit"] is None and options.unit is None:
        raise ImportFileError("no column for the unit: add --column unit=NAME, or --unit for all", place="line 1")
    rows: dict[str, list[_Row]] = {}
    for line, cells in rows_of(document, [column for column in columns.values() if column is not None]):
        rows.setdefault(_INERT.sub("", cells[columns["name"] or ""]), []).append(_row(line, cells, columns, options))
        if len(rows) > BENCHES_LIMIT:
            raise ImportFileError(f"more than {BENCHES_LIMIT:,} benches")
    for name, of_bench in rows.items():
        yield _series(name, of_bench)


def _series(name: str, rows: Sequence[_Row]) -> ImportedSeries:
    first = rows[0]
    for row in rows:
        if (row.unit, row.better) != (first.unit, first.better):
            problem = f"{name}: another unit or direction than in line {first.line}"
            raise ImportFileError(problem, place=f"line {row.line}")
        if len(rows) > 1 and (row.p95 is not None or row.mean is not None):
            problem = f"{name}: a second row, and a row with a p95 or a mean is a summary of its bench"
            raise ImportFileError(problem, place=f"line {row.line}")
    better = _WAYS.get(first.better)
    if len(rows) == 1 and any(getattr(first, key) is not None for key in _STATISTICS):
        p50 = first.value if first.p50 is None and first.mean is None else first.p50
        return ImportedSeries(
            name=name, unit=first.unit, better=better, p50=p50, p95=first.p95, mean=first.mean, n=first.n
        )
    rounds: dict[str, list[float]] = {}
    for row in rows:
        value = row.p50 if row.value is None else row.value
        if value is None:
            raise ImportFileError(f"{name}: no figure", place=f"line {row.line}")
        rounds.setdefault(row.round, []).append(value)
    return ImportedSeries(name=name, unit=first.unit, better=better, rounds=tuple(map(tuple, rounds.values())))


def _row(line: int, cells: Mapping[str, str], columns: Mapping[str, str | None], options: ImportOptions) -> _Row:
    texts = {key: cells[column].strip() for key, column in columns.items() if column is not None}
    better = texts.get("better", "").lower()
    if better and better not in _WAYS:
        place = f"line {line}, column {columns['better']}"
        raise ImportFileError(f"{better[:40]!r} is neither lower nor higher", place=place)
    figures = {
        key: parse_number(dict(cells), column, line) if column is not None and texts[key] else None
        for key, column in ((key, columns[key]) for key in ("value", *_STATISTICS))
    }
    if not any(value is not None for value in figures.values()):
        raise ImportFileError("no figure", place=f"line {line}")
    n = parse_number(dict(cells), columns["n"] or "", line) if texts.get("n") else 1
    if not 1 <= n < 2**63:
        raise ImportFileError(f"{n:g} samples are no run", place=f"line {line}, column {columns['n']}")
    return _Row(
        line=line,
        unit=_INERT.sub("", texts.get("unit", "")) or options.unit or "",
        round=texts.get("round", ""),
        better=better,
        n=int(n),
        **figures,
    )


def _header(document: Document) -> list[str]:
    line = document.head.partition("\n")[0].strip()
    return [name.strip().strip('"') for name in line.split(delimiter_of(document))]


def _column(key: str, header: Sequence[str], given: Mapping[str, str]) -> str | None:
    if key in given:
        if given[key] not in header:
            raise ImportFileError(f"no column {given[key]!r}; there are: {', '.join(header)}", place="line 1")
        return given[key]
    return next((name for name in USUAL[key] if name in header), None)


def _missing(key: str, header: Sequence[str]) -> ImportFileError:
    problem = f"no column for the {key}: add --column {key}=NAME; there are: {', '.join(header)}"
    return ImportFileError(problem, place="line 1")
