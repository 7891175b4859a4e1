"""The report as Markdown, to be shown in a step summary or a comment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aether_guard.report.text import (
    HEAD,
    caveats,
    is_listed,
    needs_reason,
    reason_line,
    summary_line,
    table_row,
    verdict_label,
)
from aether_schema import printable

if TYPE_CHECKING:
    from aether_guard.check.verdict import Report

# A step summary holds at most 1 MiB.
SIZE_LIMIT_BYTES = 900_000
MAX_REASONS = 50
_MARKS = {
    "regression": "🔴",
    "error": "❌",
    "inconclusive": "🟡",
    "improvement": "🟢",
    "pass": "⚪",
    "new": "🆕",
    "unjudged": "⏸️",
}


def render_markdown(report: Report) -> str:
    """Return the table and the reasons; rows beyond the size limit of a step summary are only counted."""
    lines = [
        "### Performance guard",
        "",
        escaped(summary_line(report)),
        "",
        "| " + " | ".join(HEAD) + " |",
        "|:---|---:|---:|---:|:---|",
    ]
    size = 0
    for shown, judgement in enumerate(filter(is_listed, report.benches)):
        *cells, verdict = table_row(judgement)
        row = "| " + " | ".join([*map(escaped, cells), f"{_MARKS[verdict]} {verdict}"]) + " |"
        size += len(row.encode())
        if size > SIZE_LIMIT_BYTES:
            lines += ["", f"… and {len(report.benches) - shown} more"]
            break
        lines.append(row)
    reasons = [
        f"- **{verdict_label(judgement)}** {escaped(reason_line(judgement))}"
        for judgement in report.benches[:MAX_REASONS]
        if needs_reason(judgement)
    ]
    if reasons:
        lines += ["", *reasons]
    for caveat in caveats(report):
        lines += ["", escaped(caveat)]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Escape `text` for Markdown and HTML, join its lines, and escape unprintable characters."""
    return re.sub(r"([\\`*_{}\[\]()#!|<>~@&])", r"\\\1", printable(" ".join(text.split())))
