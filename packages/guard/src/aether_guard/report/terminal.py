"""Terminal output: color unless disabled, and a small plot if there is room."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_guard.check.verdict import SEVERITY
from aether_guard.report.format import format_value
from aether_schema import printable

if TYPE_CHECKING:
    from aether_guard.check.verdict import Judgement, Report

_COLORS = {"error": 31, "regression": 31, "inconclusive": 33, "improvement": 32}
_PLOTTED = 8
_MIN_WIDTH = 60
_NAME_WIDTH = 20
_FIGURE_WIDTH = 16
_BLOCKS = " ▏▎▍▌▋▊▉█"


class TerminalCapabilities(Struct, frozen=True, kw_only=True):
    """Abilities of a terminal; `blocks` is whether it shows the block characters of bars."""

    width: int
    colour: bool
    blocks: bool


def stdout_capabilities() -> TerminalCapabilities | None:
    """Return the abilities of the terminal on stdout, or None if stdout is not a terminal."""
    if not sys.stdout.isatty():
        return None
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    return TerminalCapabilities(
        width=os.get_terminal_size(sys.stdout.fileno()).columns,
        colour=not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb",
        blocks=encoding.startswith("utf"),
    )


def decorate(text: str, report: Report, terminal: TerminalCapabilities) -> str:
    """Color the verdicts of a text report, and insert a plot of its worst benches behind the table."""
    table, *others, conclusion = text.split("\n\n")
    plot = bar_chart(report, terminal)
    if terminal.colour:
        table = re.sub(rf"({'|'.join(_COLORS)})$", _color_verdict, table, flags=re.MULTILINE)
        conclusion = re.sub(rf"^({'|'.join(_COLORS)})", _color_verdict, conclusion)
    return "\n\n".join([table, *([plot] if plot else []), *others, conclusion])


def bar_chart(report: Report, terminal: TerminalCapabilities) -> str:
    """Return two bars per bench, baseline and current, of the worst benches; empty if there is no room."""
    shown = [item for item in report.benches if item.baseline and item.current is not None][:_PLOTTED]
    shown = [item for item in shown if SEVERITY[item.verdict] < SEVERITY["error"]]
    if not terminal.blocks or terminal.width < _MIN_WIDTH:
        return ""
    room = terminal.width - _NAME_WIDTH - len("  baseline  ") - _FIGURE_WIDTH
    return "\n".join(line for item in shown for line in _bars(item, room))


def _bars(item: Judgement, room: int) -> list[str]:
    assert item.baseline is not None
    assert item.current is not None
    name = printable(item.bench_id or "")
    name = name if len(name) <= _NAME_WIDTH else name[: _NAME_WIDTH - 1] + "…"
    largest = max(item.baseline, item.current)
    return [
        f"{label:{_NAME_WIDTH}}  {side:8} {_bar(value / largest * room)} {format_value(value, item.unit or '')}"
        for label, side, value in ((name, "baseline", item.baseline), ("", "current", item.current))
    ]


def _bar(length: float) -> str:
    whole, eighths = divmod(round(length * 8), 8)
    return _BLOCKS[-1] * whole + (_BLOCKS[eighths] if eighths else "")


def _color_verdict(match: re.Match[str]) -> str:
    return f"\x1b[{_COLORS[match[1]]}m{match[1]}\x1b[0m"
