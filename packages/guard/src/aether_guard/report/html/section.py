"""The section of one bench in the HTML page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aether_guard.check.judge import worsening
from aether_guard.report.format import format_percent, format_signed_percent, format_value
from aether_guard.report.html.host import environment_block, reference_block
from aether_guard.report.html.markup import block, joined, shortened, table, tag
from aether_guard.report.html.samples import normalized_block, rounds_block, samples_block
from aether_guard.report.html.svg import BAR_KEY, BarRow, bar_list
from aether_guard.report.text import verdict_label

if TYPE_CHECKING:
    from aether_guard.check.verdict import Judgement
    from aether_guard.report.html.markup import Html
    from aether_guard.report.html.summary_pair import SummaryPair
    from aether_schema import Statistic, Summary

#: A glyph per verdict, so that verdicts differ by more than color.
GLYPHS = {
    "error": "!",
    "regression": "✗",
    "inconclusive": "?",
    "improvement": "★",
    "pass": "✓",
    "new": "+",
    "unjudged": "-",
}
_MEANINGS = {
    "error": "It could not be compared.",
    "regression": "It got worse by more than its gate allows.",
    "inconclusive": "The evidence does not settle it.",
    "improvement": "It got better by more than its gate.",
    "pass": "It did not get worse beyond its gate.",
    "new": "It has no baseline yet, so there was nothing to compare.",
    "unjudged": "It was not judged.",
}
_STATISTICS: tuple[Statistic, ...] = ("mean", "p50", "p95")
_TEXT_LENGTH = 2000
_COMMIT_LENGTH = 13
_NAME_LENGTH = 250
_MAX_PHASES = 30


def badge(verdict: str) -> Html:
    """Return a verdict with its glyph and color."""
    return tag("span", tag("span", GLYPHS[verdict], aria_hidden="true"), f" {verdict}", class_=f"badge {verdict}")


def render_section(judgement: Judgement, sides: SummaryPair, anchor: str, title: str) -> Html:
    """Return the section of one bench, with the blocks that its summaries allow."""
    meaning = _MEANINGS[verdict_label(judgement)]
    if judgement.verdict == "regression" and judgement.warn_only:
        meaning += " Its policy only warns, so the build does not fail."
    candidates = [
        _figures(sides),
        samples_block(judgement, sides),
        normalized_block(sides),
        rounds_block(sides),
        reference_block(sides),
        _phases(judgement, sides),
        _functions(judgement),
        environment_block(sides),
        _notes(sides),
    ]
    blocks = list(filter(None, candidates))
    return tag(
        "section",
        tag("h2", badge(verdict_label(judgement)), " ", tag("bdi", title)),
        tag("p", tag("b", meaning), " ", shortened(judgement.reason, _TEXT_LENGTH)),
        *([] if sides.names is None else [_legend(sides.names)]),
        *([tag("div", *blocks, class_="blocks")] if blocks else []),
        id=anchor,
    )


def _legend(names: tuple[str, str]) -> Html:
    """Return the display names of the two sides, each with the mark of its samples."""
    marks = (("baseline", "●"), ("current", "■"))
    lines = [
        tag("li", tag("span", mark, class_=side, aria_hidden="true"), f" {side}: ", tag("bdi", name))
        for (side, mark), name in zip(marks, (shortened(name, _NAME_LENGTH) for name in names), strict=True)
    ]
    return tag("ul", *lines, class_="key")


def _figures(sides: SummaryPair) -> Html | None:
    if not sides.named:
        return None
    rows = [
        *((name, [_statistic(summary, name) for _, summary in sides.named]) for name in _STATISTICS),
        ("samples", [f"{summary.n:,}" for _, summary in sides.named]),
        ("rounds", ["-" if summary.samples is None else f"{len(summary.samples):,}" for _, summary in sides.named]),
        ("disturbed", ["-" if summary.disturbed is None else f"{summary.disturbed:,}" for _, summary in sides.named]),
    ]
    cells = [(name, *texts) for name, texts in rows if set(texts) != {"-"}]
    head = ["", *(name for name, _ in sides.named)]
    if sides.both is not None:
        head.append("worse by")
        changes: dict[str, str] = {name: _change(*sides.both, name) for name in _STATISTICS}
        cells = [(*row, changes.get(row[0], "")) for row in cells]
    return block(
        "Figures", table(head, cells), caption="Measured: " + ", ".join(_origin(*side) for side in sides.named)
    )


def _origin(name: str, summary: Summary) -> str:
    commit = f" at {shortened(summary.commit, _COMMIT_LENGTH)}" if summary.commit else ""
    return f"{name} {summary.measured_at.isoformat(' ', 'minutes')}{commit}"


def _statistic(summary: Summary, name: Statistic) -> str:
    value = summary.statistic(name) if name in (summary.statistics or ("p50", "p95")) else None
    return "-" if value is None else format_value(value, summary.unit)


def _change(baseline: Summary, current: Summary, name: Statistic) -> str:
    before, after = baseline.statistic(name), current.statistic(name)
    if not before or after is None:
        return "-"
    return format_signed_percent(worsening(before, after, lower_is_better=baseline.lower_is_better))


def _phases(judgement: Judgement, sides: SummaryPair) -> Html | None:
    before, after = ((side.phases or {}) if side else {} for side in (sides.baseline, sides.current))
    names = list(dict.fromkeys([*before, *after]))[:_MAX_PHASES]
    if not names:
        return None
    rows = []
    for name in names:
        old, new = (phases[name].p50 if name in phases else None for phases in (before, after))
        change = format_signed_percent(new / old - 1) if old and new is not None else ""
        moved = ", most of the change" if name == judgement.moved_phase else ""
        rows.append(BarRow(name, old, new, f"{change}{moved}"))
    return block("Phases, p50", bar_list(rows, "ms"), caption=BAR_KEY)


def _functions(judgement: Judgement) -> Html | None:
    """Return the functions whose counts moved most."""
    if not judgement.functions:
        return None
    rows = [
        [shortened(item.name, _NAME_LENGTH), f"{item.baseline:,}", f"{item.current:,}", format_percent(item.share)]
        for item in judgement.functions
    ]
    head = ["function", "baseline", "current", "share of the change"]
    return block("Functions, bytecodes of one operation", table(head, rows))


def _notes(sides: SummaryPair) -> Html | None:
    notes = [
        joined(tag("dt", name), *(tag("dd", line) for line in shortened(summary.notes, _TEXT_LENGTH).splitlines()))
        for name, summary in sides.named
        if summary.notes
    ]
    return block("Notes", tag("dl", *notes)) if notes else None
