"""CSV, as `import csv` reads it again: a row a sample where a bench has samples, and else a row with its figures."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aether_schema import Summary

COLUMNS = ("bench_id", "value", "unit", "better", "round", "p95", "n", "timestamp", "commit")


def render(summaries: Sequence[Summary]) -> str:
    """Return the table, with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for summary in summaries:
        writer.writerows(_rows(summary))
    return text.getvalue()


def _rows(summary: Summary) -> Iterator[tuple[str | int | float, ...]]:
    way = "lower" if summary.lower_is_better else "higher"
    told = (summary.timestamp, summary.commit or "")
    if summary.samples is None:
        yield summary.bench_id, repr(summary.p50), summary.unit, way, "", repr(summary.p95), summary.n, *told
        return
    for number, values in enumerate(summary.samples, 1):
        for value in values:
            yield summary.bench_id, repr(value), summary.unit, way, number, "", "", *told
