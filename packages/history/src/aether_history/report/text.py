"""The trends as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aether_guard.report.format import format_value
from aether_guard.report.text import NOTHING, render_table
from aether_history.report.wording import conclusion, day, describe_change, worse_by
from aether_schema import printable
from aether_schema.json_text import to_json

if TYPE_CHECKING:
    from aether_history.analysis import HistoryReport

HEAD = ("bench", "runs", "level now", "changes", "last by", "on")


def render_text(course: HistoryReport) -> str:
    """Return a table of the benches, a line per change, and a summary line."""
    rows = []
    for trend in course.trends:
        last = trend.changes[-1] if trend.changes else None
        rows.append(
            (
                printable(trend.bench),
                f"{trend.runs:,}",
                format_value(trend.level, trend.unit),
                str(len(trend.changes) or NOTHING),
                NOTHING if last is None else worse_by(last),
                NOTHING if last is None else day(last.timestamp),
            )
        )
    lines = [
        f"{printable(trend.bench)}: {describe_change(trend, moment)}"
        for trend in course.trends
        for moment in reversed(trend.changes)
    ]
    notes = [f"{printable(trend.bench)}: {note}" for trend in course.trends for note in trend.notes]
    parts = [render_table(HEAD, rows), "\n".join(lines), "\n".join([*notes, *course.hints]), conclusion(course.trends)]
    return "\n\n".join(filter(None, parts)) + "\n"


def render_json(course: HistoryReport) -> str:
    """Return the trends as one JSON object; keys that do not apply are null."""
    document = {
        "history": course.history,
        "quantile": course.quantile,
        "repository": course.repository,
        "benches": course.trends,
        "hints": course.hints,
        "problems": course.problems,
    }
    return to_json(document)
