"""Sentences about changes of level, for every format. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aether_guard.report.format import format_signed_percent, format_value
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_history.trend import LevelChange, Trend

_SHORT = 10
_DAY = 10
#: The maximum confidence to print.
_SUREST = 0.9999


def worse_by(moment: LevelChange) -> str:
    """Return `+5.0 %`, positive is worse."""
    return "from 0" if moment.size is None else format_signed_percent(moment.size)


def levels(moment: LevelChange, unit: str) -> str:
    """Return `10 ms -> 10.5 ms`."""
    return f"{format_value(moment.before, unit)} -> {format_value(moment.after, unit)}"


def format_confidence(moment: LevelChange) -> str:
    """Return `99.8 % sure`."""
    if moment.confidence >= _SUREST:
        return "more than 99.99 % sure"
    return f"{moment.confidence * 100:.4g} % sure"


def commit_range(moment: LevelChange) -> str:
    """Return the commits between which it happened, `1a2b3c..4d5e6f`; empty where none is known."""
    if moment.first_changed is None:
        return ""
    return f"{short(moment.last_good)}..{short(moment.first_changed)}"


def location_range(moment: LevelChange) -> str:
    """Return between which commits it was first seen with 95 % confidence, empty where that is one."""
    if moment.earliest == moment.latest or moment.earliest is None:
        return ""
    return f"first seen between {short(moment.earliest)} and {short(moment.latest)} (95 %)"


def short(commit: str | None) -> str:
    """Return the beginning of a commit's name."""
    return "?" if commit is None else printable(commit[:_SHORT])


def day(timestamp: str) -> str:
    """Return the day of a moment."""
    return printable(timestamp[:_DAY])


def describe_change(trend: Trend, moment: LevelChange) -> str:
    """Return a change in one line, without the bench it is of."""
    place = commit_range(moment)
    parts = [
        f"{moment.kind}: {worse_by(moment)} ({levels(moment, trend.unit)})",
        f"commits {place}" if place else "commits unknown",
        day(moment.timestamp),
        format_confidence(moment),
        location_range(moment),
    ]
    text = ", ".join(filter(None, parts))
    return f"{text}; {moment.host_explanation}" if moment.host_explanation else text


def conclusion(trends: Sequence[Trend]) -> str:
    """Return the summary line: the numbers of benches, runs and changes."""
    moments = [moment for trend in trends for moment in trend.changes]
    worse = sum(moment.kind == "regression" for moment in moments)
    runs = sum(trend.runs for trend in trends)
    return (
        f"{_counted(len(trends), 'series', 'series')}, {_counted(runs, 'run', 'runs')}, "
        f"{_counted(len(moments), 'change', 'changes')}"
        + (
            f": {_counted(worse, 'regression', 'regressions')}, "
            f"{_counted(len(moments) - worse, 'improvement', 'improvements')}"
            if moments
            else ""
        )
    )


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
