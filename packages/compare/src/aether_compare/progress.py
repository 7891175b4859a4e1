"""Progress while pairs are taken: a line that is rewritten on a terminal, one line per verdict elsewhere."""

from __future__ import annotations

import math
import os
import sys
from time import monotonic
from typing import TYPE_CHECKING

from aether_compare.result import counted_pairs, pairs_in
from aether_guard.report.format import format_change, format_percent, format_signed_percent
from aether_schema import printable

if TYPE_CHECKING:
    from aether_compare.scheduler import Comparison
    from aether_compare.stats.e_process import EProcess

_EVERY_S = 0.2
#: The interval takes longer with more pairs; it is updated after each growth by a fifth.
_GROWTH = 1.2
_CLEAR = "\r\x1b[K"
_DEFAULT_WIDTH = 80


class NullProgress:
    """Prints nothing."""

    def pairs_added(self, comparison: Comparison, left_s: float) -> None:
        """Do nothing."""

    def decided(self, comparison: Comparison) -> None:
        """Do nothing."""

    def ended(self) -> None:
        """Do nothing."""


class LogProgress(NullProgress):
    """A line a verdict on the error stream, for logs."""

    def decided(self, comparison: Comparison) -> None:
        """Print the verdict of a bench; errors are left to the report."""
        if comparison.problem is None:
            sys.stderr.write(f"{summary_line(comparison)}\n")
        sys.stderr.flush()


class TerminalProgress(LogProgress):
    """A line on the terminal's error stream that follows the evidence."""

    def __init__(self) -> None:
        """Begin with nothing on the line."""
        self._said_at = -math.inf
        self._interval: tuple[float, float] | None = None
        self._interval_at = (0, "")

    def pairs_added(self, comparison: Comparison, left_s: float) -> None:
        """Rewrite the line, a few times a second."""
        now = monotonic()
        if now - self._said_at < _EVERY_S:
            return
        self._said_at = now
        pairs, bench_id = len(comparison.pairs), comparison.question.bench_id
        known_at, known_for = self._interval_at
        if known_for != bench_id or pairs > known_at * _GROWTH:
            self._interval, self._interval_at = comparison.trial.interval(), (pairs, bench_id)
        text = progress_line(comparison, self._interval, left_s)
        # A terminal of unknown width reports 0.
        width = os.get_terminal_size(sys.stderr.fileno()).columns or _DEFAULT_WIDTH
        sys.stderr.write(f"{_CLEAR}{text[: max(1, width - 1)]}")
        sys.stderr.flush()

    def decided(self, comparison: Comparison) -> None:
        """Print the verdict of a bench as a line that stays."""
        sys.stderr.write(_CLEAR)
        super().decided(comparison)

    def ended(self) -> None:
        """Remove the progress line."""
        sys.stderr.write(_CLEAR)
        sys.stderr.flush()


def stderr_progress(*, quiet: bool) -> NullProgress:
    """Return the progress display that fits the error stream."""
    if quiet:
        return NullProgress()
    return TerminalProgress() if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else LogProgress()


def progress_line(comparison: Comparison, interval: tuple[float, float] | None, left_s: float) -> str:
    """Return how far it is: pairs, the estimate with its bounds, the evidence either way, and the time left."""
    trial = comparison.trial
    bounds = (
        "" if interval is None else f" ({format_signed_percent(interval[0])} to {format_signed_percent(interval[1])})"
    )
    change = "" if trial.change is None else f", {format_change(trial.change)}{bounds}"
    worse, not_worse = (
        round(evidence_fraction(wager, trial.rule.alpha), 2) for wager in (trial.worse, trial.not_worse)
    )
    return printable(
        f"{comparison.question.bench_id}: {counted_pairs(comparison)}{change}; "
        f"worse {format_percent(worse)}, not worse {format_percent(not_worse)} shown; "
        f"at most {max(0.0, left_s):.0f} s more"
    )


def summary_line(comparison: Comparison) -> str:
    """Return a line with the verdict of a bench."""
    return printable(f"{comparison.question.bench_id}: {comparison.trial.final_verdict} after {pairs_in(comparison)}")


def evidence_fraction(wager: EProcess, alpha: float) -> float:
    """Return how much of the way to 1/alpha a wealth has come, in logarithms."""
    return min(1.0, math.log(max(wager.max_wealth, 1.0)) / -math.log(alpha))
