"""Locust: `--csv`, the file that ends in `_stats.csv`: response times in milliseconds, without samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aether_guard.importer.series import Series
from aether_guard.importer.table import number_in, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_guard.importer.document import Document
    from aether_guard.importer.series import Wishes

ABOUT = "Locust --csv, the file of statistics"
SUFFIXES: tuple[str, ...] = ("_stats.csv",)
_COLUMNS = ("Type", "Name", "Request Count", "Failure Count", "Requests/s", "50%", "95%")
_ALL = "Aggregated"


def recognises(document: Document) -> bool:
    """Return whether the header is that of the statistics; that of their history has a timestamp."""
    header = [name.strip().strip('"') for name in document.head.partition("\n")[0].split(",")]
    return set(_COLUMNS) <= set(header) and "Timestamp" not in header


def read(document: Document, wishes: Wishes) -> Iterator[Series]:
    """Yield a row each, its response time, and of the row of all requests their rate as well."""
    del wishes
    for number, row in rows_of(document, _COLUMNS):
        count, failed = number_in(row, "Request Count", number), number_in(row, "Failure Count", number)
        if failed >= count:
            continue  # nothing was asked for, or there are only the times of failures
        name = " ".join(filter(None, (row["Type"], row["Name"])))
        notes = f"{failed:g} of {count:g} requests failed" if failed else None
        p50, p95 = number_in(row, "50%", number), number_in(row, "95%", number)
        yield Series(name=name, unit="ms", p50=p50, p95=p95, n=int(count), notes=notes)
        if row["Name"] == _ALL:
            rate = number_in(row, "Requests/s", number)
            yield Series(name=f"{name} req/s", unit="req/s", p50=rate, n=int(count), notes=notes)
