"""Workflow commands: lines that a CI host shows as annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aether_guard.report.format import format_value
from aether_schema import printable

if TYPE_CHECKING:
    from aether_guard.check.verdict import Report

#: Hosts keep ten annotations per step; the last line counts the regressions beyond the ninth.
MAX_LINES = 10


def render_annotations(report: Report) -> str:
    """Return a `::warning` line per regression, worst first; regressions beyond the ninth share one line."""
    lines = []
    for judgement in report.benches:
        if judgement.verdict != "regression" or judgement.baseline is None or judgement.current is None:
            continue
        unit = judgement.unit or ""
        name = printable(judgement.bench_id or "")
        title = escaped_property(f"Performance regression: {name}")
        path = judgement.baseline_path
        file = "" if path is None else f",file={escaped_property(printable(path))}"
        message = (
            f"{name}: {printable(judgement.reason)}: "
            f"{format_value(judgement.baseline, unit)} in the baseline, {format_value(judgement.current, unit)} now"
        )
        lines.append(f"::warning title={title}{file}::{escaped_message(message)}")
    if len(lines) > MAX_LINES:
        more = len(lines) - (MAX_LINES - 1)
        lines[MAX_LINES - 1 :] = [f"::warning title=Performance regressions::and {more} more benches regressed"]
    return "".join(line + "\n" for line in lines)


def escaped_message(text: str) -> str:
    """Escape `text` for the message of a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escaped_property(text: str) -> str:
    """Escape `text` for a property of a workflow command, where `:` and `,` are special too."""
    return escaped_message(text).replace(":", "%3A").replace(",", "%2C")
