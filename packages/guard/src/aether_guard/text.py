"""The report as text: a table, a line of reason for whatever is not a plain pass, and what it comes to."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from aether_guard.figure import figure, percentage, signed_percentage
from aether_guard.verdict import SEVERITY
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_guard.compare import Rule
    from aether_guard.verdict import Judgement, Report

WIDTH = 80
_NOTHING = "-"
HEAD = ("bench", "baseline", "current", "worse by", "verdict")
_PLURALS = {"pass": "passed", "error": "errors", "regression": "regressions", "improvement": "improvements"}


def render_text(report: Report, rule: Rule) -> str:
    """Return the report in lines of at most 80 columns, but for reasons that name long paths."""
    rows = [table_row(judgement) for judgement in report.benches]
    reasons = [
        f"{judgement.verdict}: {described(judgement)}"
        for judgement in report.benches
        if judgement.verdict != "pass" or judgement.baseline is None
    ]
    parts = [_table([HEAD, *rows])]
    if reasons:
        parts.append("\n".join(reasons))
    parts.append(conclusion(report, rule))
    return "\n\n".join(parts) + "\n"


def table_row(judgement: Judgement) -> tuple[str, str, str, str, str]:
    """Return the cells of one bench, or of a file that could not be read, with `-` for nothing to show."""
    unit = judgement.unit or ""
    verdict = "new" if judgement.verdict == "pass" and judgement.baseline is None else judgement.verdict
    return (
        printable(judgement.bench_id or judgement.current_path or _NOTHING),
        _NOTHING if judgement.baseline is None else figure(judgement.baseline, unit),
        _NOTHING if judgement.current is None else figure(judgement.current, unit),
        _NOTHING if judgement.change is None else signed_percentage(judgement.change),
        verdict,
    )


def described(judgement: Judgement) -> str:
    """Return the reason with the bench it is about, unless it names a file, which says more."""
    if judgement.verdict == "error":
        return judgement.reason
    return f"{printable(judgement.bench_id or '')}: {judgement.reason}"


def conclusion(report: Report, rule: Rule) -> str:
    """Return the last line: how many of each verdict, the worst one, and the rule."""
    counts = Counter(judgement.verdict for judgement in report.benches)
    listed = ", ".join(
        f"{counts[verdict]} {verdict if counts[verdict] == 1 and verdict != 'pass' else _PLURALS.get(verdict, verdict)}"
        for verdict in sorted(counts, key=SEVERITY.__getitem__, reverse=True)
    )
    return f"{report.verdict}: {listed} (gate {percentage(rule.gate)} on {rule.quantile})"


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Align the columns; a name too long for the width loses its middle."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths[0] = max(len(HEAD[0]), min(widths[0], WIDTH - sum(widths[1:]) - 2 * (len(widths) - 1)))
    first, *others, last = widths
    return "\n".join(
        "  ".join(
            [
                _shortened(row[0], first).ljust(first),
                *(cell.rjust(width) for cell, width in zip(row[1:-1], others, strict=True)),
                row[-1].ljust(last),
            ]
        ).rstrip()
        for row in rows
    )


def _shortened(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return text[: width - 1 - tail] + "…" + text[len(text) - tail :]
