"""CSV, as `import csv` reads it again: a row a sample where a bench has samples, and else a row with its figures.

Texts are quoted and numbers are not. A text that a spreadsheet would take for a formula has an apostrophe before it.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aether_schema import Summary

COLUMNS = ("bench_id", "value", "unit", "better", "round", "p95", "n", "timestamp", "commit", "p50", "mean")
# With any apostrophes, so that taking one away gives back every text.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def render(summaries: Sequence[Summary]) -> str:
    """Return the table, with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(COLUMNS)
    for summary in summaries:
        writer.writerows(_rows(summary))
    return text.getvalue()


def _rows(summary: Summary) -> Iterator[tuple[str | int | float, ...]]:
    better = "lower" if summary.lower_is_better else "higher"
    bench, unit = _inert(summary.bench_id), _inert(summary.unit)
    provenance = (printable(summary.timestamp), _inert(printable(summary.commit or "")))
    if summary.samples is None:
        p50, mean, p95 = (_cell(summary.statistic(name)) for name in ("p50", "mean", "p95"))
        yield bench, mean if p50 == "" else p50, unit, better, "", p95, summary.n, *provenance, p50, mean
        return
    for number, values in enumerate(summary.samples, 1):
        for value in values:
            yield bench, value, unit, better, number, "", "", *provenance, "", ""


def _cell(statistic: float | None) -> float | str:
    return "" if statistic is None else statistic


def _inert(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text
