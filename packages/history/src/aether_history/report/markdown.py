"""Trends as Markdown for a step summary or a comment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aether_guard.report.format import format_value
from aether_guard.report.markdown import SIZE_LIMIT_BYTES, escaped
from aether_history.report.wording import commit_range, conclusion, day, format_confidence, levels, worse_by

if TYPE_CHECKING:
    from aether_history.analysis import HistoryReport
    from aether_history.trend import LevelChange

_MARKS = {"regression": "🔴", "improvement": "🟢"}


def render_markdown(course: HistoryReport) -> str:
    """Return a table of all changes, the latest first, and one of the benches without any."""
    lines = ["### Performance over time", "", escaped(conclusion(course.trends)), ""]
    changed = [(trend, moment) for trend in course.trends for moment in trend.changes]
    changed.sort(key=lambda pair: pair[1].timestamp, reverse=True)
    if changed:
        lines += [
            "| bench | worse by | level | commits | on | sure | machine |",
            "|:---|---:|---:|:---|:---|---:|:---|",
        ]
        for trend, moment in changed:
            cells = (
                escaped(trend.bench),
                f"{_MARKS[moment.kind]} {escaped(worse_by(moment))}",
                escaped(levels(moment, trend.unit)),
                linked_range(moment, course.repository),
                day(moment.timestamp),
                escaped(format_confidence(moment).removesuffix(" sure")),
                escaped(moment.host_explanation or "as before"),
            )
            lines.append("| " + " | ".join(cells) + " |")
    steady = [trend for trend in course.trends if not trend.changes]
    if steady:
        lines += ["", "| without a change | runs | level |", "|:---|---:|---:|"]
        lines += [
            f"| {escaped(trend.bench)} | {trend.runs:,} | {escaped(format_value(trend.level, trend.unit))} |"
            for trend in steady
        ]
    notes = [f"{trend.bench}: {note}" for trend in course.trends for note in trend.notes]
    remarks = [*notes, *course.hints, *course.problems]
    if remarks:
        lines += ["", *(f"- {escaped(line)}" for line in remarks)]
    return _within(lines)


def linked_range(moment: LevelChange, repository: str | None) -> str:
    """Return the commits of a change as a link, where there is something to link to."""
    text = escaped(commit_range(moment) or "unknown")
    address = compare_address(moment, repository)
    return f"[{text}]({address})" if address else text


def compare_address(moment: LevelChange, repository: str | None) -> str | None:
    """Return where the commits of a change can be looked at."""
    if repository is None or not _is_commit(moment.first_changed):
        return None
    if not _is_commit(moment.last_good) or moment.last_good == moment.first_changed:
        return f"{repository}/commit/{moment.first_changed}"
    return f"{repository}/compare/{moment.last_good}...{moment.first_changed}"


def _is_commit(text: str | None) -> bool:
    return text is not None and text.isalnum() and text.isascii()


def _within(lines: list[str]) -> str:
    """Return the lines, up to the size a step summary holds; the rest is counted."""
    size = 0
    for shown, line in enumerate(lines):
        size += len(line.encode()) + 1
        if size > SIZE_LIMIT_BYTES:
            lines = [*lines[:shown], "", f"… and {len(lines) - shown} more lines"]
            break
    return "\n".join(lines) + "\n"
