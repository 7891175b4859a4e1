"""Locust: `--csv`, the file that ends in `_stats.csv`: response times in milliseconds, without samples.

The times of failed requests are in the percentiles, and failed requests are in the rate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aether_formats.model import Failures, ImportedSeries
from aether_formats.reading.csv_rows import parse_number, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document

ABOUT = "Locust --csv, the file of statistics"
SUFFIXES: tuple[str, ...] = ("_stats.csv",)
_COLUMNS = ("Type", "Name", "Request Count", "Failure Count", "Requests/s", "50%", "95%")
_ALL = "Aggregated"
_NOTHING_ASKED = "skipped: no request was made"


def matches(document: Document) -> bool:
    """Return whether the header has the columns of the statistics; their history has a timestamp as well."""
    header = [name.strip().strip('"') for name in document.head.partition("\n")[0].split(",")]
    return set(_COLUMNS) <= set(header) and "Timestamp" not in header


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield the response time of each row, and the rate of the row of all requests."""
    del options
    for number, row in rows_of(document, _COLUMNS):
        count, failed = parse_number(row, "Request Count", number), parse_number(row, "Failure Count", number)
        name = " ".join(filter(None, (row["Type"], row["Name"])))
        rate = f"{name} req/s" if row["Name"] == _ALL else None
        if count <= 0:
            yield ImportedSeries(name=name, unit="ms", skipped=_NOTHING_ASKED)
            continue
        failures = Failures(failed=failed, total=count, problem=f"{failed:g} of {count:g} requests failed")
        if failed >= count:
            # No figure is left: they describe failures alone.
            yield ImportedSeries(name=name, unit="ms", failures=failures)
            if rate is not None:
                yield ImportedSeries(name=rate, unit="req/s", failures=failures)
            continue
        p50, p95 = parse_number(row, "50%", number), parse_number(row, "95%", number)
        yield ImportedSeries(name=name, unit="ms", p50=p50, p95=p95, n=int(count), failures=failures)
        if rate is not None:
            per_second = parse_number(row, "Requests/s", number)
            yield ImportedSeries(name=rate, unit="req/s", p50=per_second, n=int(count), failures=failures)
