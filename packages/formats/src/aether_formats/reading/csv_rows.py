"""Tables as text: rows by the names in their header."""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING

from aether_formats.errors import ImportFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aether_formats.reading.document import Document

ROWS_LIMIT = 2_000_000


def rows_of(document: Document, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows by column, each with the number of its line.

    Raises:
        ImportProblem: a column is missing, a row is too short or too long, or there are too many rows.

    """
    lines = (line for _, line in document.lines(keepends=True))
    reader = csv.reader(lines, delimiter=delimiter_of(document), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        missing = [name for name in needed if name not in header]
        if missing:
            raise ImportFileError(f"no column {missing[0]!r}; there are: {', '.join(header)}", place="line 1")
        width = max(map(header.index, needed), default=0)
        for count, row in enumerate(reader):
            if count >= ROWS_LIMIT:
                raise ImportFileError(f"more than {ROWS_LIMIT:,} rows")
            if not any(row):
                continue
            # A decimal comma between columns that a comma separates makes a cell too many.
            if len(row) <= width or any(row[len(header) :]):
                raise ImportFileError(f"{len(row)} columns, not {len(header)}", place=f"line {reader.line_num}")
            yield reader.line_num, dict(zip(header, row, strict=False))
    except csv.Error as error:
        raise ImportFileError(f"malformed CSV: {error}", place=f"line {reader.line_num}") from None


def delimiter_of(document: Document) -> str:
    """Return the delimiter of the header: a comma, a semicolon or a tab."""
    header = document.head.partition("\n")[0]
    return max(",;\t", key=header.count)


def parse_number(row: dict[str, str], column: str, line: int) -> float:
    """Return a cell as a number.

    Raises:
        ImportProblem: it is none, or has a comma, which is a decimal point to some and a thousand to others.

    """
    text = row[column].strip()
    place = f"line {line}, column {column}"
    try:
        if math.isfinite(number := float(text)):
            return number
    except ValueError:
        if "," in text:
            raise ImportFileError(
                f"{text[:40]!r} has a comma: write numbers with a decimal point", place=place
            ) from None
    raise ImportFileError(f"{text[:40]!r} is no number", place=place)
