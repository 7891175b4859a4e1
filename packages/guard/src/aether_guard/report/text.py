"""The report as text: a table, the reasons, and a summary line."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from aether_guard.check.verdict import SEVERITY
from aether_guard.report.format import format_percent, format_signed_percent, format_value
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_guard.check.verdict import Judgement, Report

WIDTH = 80
NOTHING = "-"
UNCHANGED = "~"
ONE_RUN = (
    "One baseline run does not show how much unchanged code varies from run to run; `aether-guard promote --runs 5` "
    "keeps several."
)
HEAD = ("bench", "baseline", "current", "worse by", "verdict")
PLURALS = {"pass": "passed", "error": "errors", "regression": "regressions", "improvement": "improvements"}


def render_text(report: Report, *, with_errors: bool = True) -> str:
    """Return the report in lines of at most 80 columns, except for the reasons.

    Without `with_errors`, the reasons of errors are left out; the caller prints them to stderr.
    """
    rows = [table_row(judgement) for judgement in report.benches if is_listed(judgement)]
    explained = [item for item in report.benches if needs_reason(item) and (with_errors or item.verdict != "error")]
    reasons = [f"{verdict_label(judgement)}: {reason_line(judgement)}" for judgement in explained]
    parts = [render_table(HEAD, rows)]
    if reasons:
        parts.append("\n".join(reasons))
    parts += [*caveats(report), summary_line(report)]
    return "\n\n".join(parts) + "\n"


def is_listed(judgement: Judgement) -> bool:
    """Return whether a series has a row: a bench does, and a further figure that is not a plain pass."""
    return judgement.figure is None or judgement.verdict != "pass"


def needs_reason(judgement: Judgement) -> bool:
    """Return whether a bench needs more than its table row: it has an interval, or is not a plain pass."""
    if not is_listed(judgement):
        return False
    return judgement.verdict != "pass" or judgement.baseline is None or judgement.interval is not None


def verdict_label(judgement: Judgement) -> str:
    """Return the word for a verdict: `new` without a baseline, `unjudged` without a verdict."""
    if not judgement.judged:
        return "unjudged"
    return "new" if judgement.verdict == "pass" and judgement.baseline is None else judgement.verdict


def table_row(judgement: Judgement) -> tuple[str, str, str, str, str]:
    """Return the cells of one bench or file: `-` for no value, `~` for no detectable change."""
    unit = judgement.unit or ""
    change = judgement.change_decisive
    unchanged = judgement.verdict == "pass" and judgement.interval is not None and spans_zero(judgement.interval)
    return (
        printable(judgement.bench_id or judgement.current_path or NOTHING),
        NOTHING if judgement.baseline is None else format_value(judgement.baseline, unit),
        NOTHING if judgement.current is None else format_value(judgement.current, unit),
        NOTHING if change is None else UNCHANGED if unchanged else format_signed_percent(change, judgement.gate),
        verdict_label(judgement),
    )


def spans_zero(interval: tuple[float, float]) -> bool:
    """Return whether an interval contains zero."""
    return interval[0] <= 0 <= interval[1]


def reason_line(judgement: Judgement) -> str:
    """Return the reason, prefixed with the bench unless it is an error, which names its file."""
    if judgement.verdict == "error":
        return judgement.reason
    return f"{printable(judgement.bench_id or '')}: {judgement.reason}"


def caveats(report: Report) -> list[str]:
    """Return the limits of the report, each with the command that removes it."""
    return [ONE_RUN] if any(judgement.runs == 1 for judgement in report.benches) else []


def summary_line(report: Report) -> str:
    """Return the last line: the worst verdict, the count of each, the gate, and the false-alarm risk."""
    counts = Counter(judgement.verdict for judgement in report.benches if is_listed(judgement))
    listed = ", ".join(
        f"{counts[verdict]} {verdict if counts[verdict] == 1 and verdict != 'pass' else PLURALS.get(verdict, verdict)}"
        for verdict in sorted(counts, key=SEVERITY.__getitem__, reverse=True)
    )
    benches = [judgement for judgement in report.benches if judgement.figure is None]
    gates = {judgement.gate for judgement in benches if judgement.gate is not None}
    statistics = sorted({judgement.quantile for judgement in benches if judgement.quantile is not None})
    rules = [f"gate {format_percent(gate)} on {' and '.join(statistics)}" for gate in gates] if len(gates) == 1 else []
    if len(gates) > 1:
        rules.append("gates differ by bench")
    if passed := sum(judgement.judged and not is_listed(judgement) for judgement in report.benches):
        rules.append(f"{passed} further figure{'' if passed == 1 else 's'} passed")
    if report.level is not None:
        rules.append(f"false-alarm risk at most {format_percent(report.level)} per build")
    return f"{report.verdict}: {listed}" + (f" ({'; '.join(rules)})" if rules else "")


def render_table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Align the columns; shorten long names in the middle to fit the width."""
    rows = [head, *body]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths[0] = max(len(head[0]), min(widths[0], WIDTH - sum(widths[1:]) - 2 * (len(widths) - 1)))
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
