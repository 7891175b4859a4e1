"""Format figures and percentages; parse percentages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aether_guard.check.verdict import TOLERANCE
from aether_guard.errors import GuardError
from aether_schema import printable

if TYPE_CHECKING:
    from aether_schema import Statistic, Summary

THOUSAND, MILLION, BILLION = 10**3, 10**6, 10**9
#: The largest gate, as a fraction of worsening.
MAX_GATE = 1.0
_MAX_DIGITS = 7


def format_percent(fraction: float) -> str:
    """Return `20 %` for 0.2, with at most four significant digits."""
    return f"{fraction * 100:.4g} %"


def format_signed_percent(fraction: float, limit: float | None = None) -> str:
    """Return `+25.0 %` for 0.25; a rounded zero has no sign, and only `limit` itself is rounded to `limit`."""
    text = _percents(fraction, limit)
    return f"{text.lstrip('-') if float(text) == 0 else f'+{text}' if fraction > 0 else text} %"


def format_change(change: float, limit: float | None = None) -> str:
    """Return `25.0 % worse` for 0.25, `10.0 % better` for -0.1; only `limit` itself is rounded to `limit`."""
    size = _percents(abs(change), limit)
    return f"{size} % {'worse' if change > 0 else 'better'}" if float(size) else "unchanged"


def format_value(value: float, unit: str) -> str:
    """Return a figure and its unit: four significant digits, or a whole number from 1,000 up; bytes as kB, MB or GB."""
    if unit == "bytes":
        size = next((size for size in (BILLION, MILLION, THOUSAND) if value >= size), 1)
        value, unit = value / size, {BILLION: "GB", MILLION: "MB", THOUSAND: "kB", 1: "bytes"}[size]
    text = f"{value:,.0f}" if THOUSAND <= value < BILLION else f"{value:.4g}"
    return f"{text} {printable(unit)}"


def described_figures(summary: Summary) -> str:
    """Return the statistics of a summary: `p50 3.2 ms, p95 3.3 ms`."""
    names: tuple[Statistic, ...] = ("mean", "p50", "p95")
    listed = [name for name in names if name in (summary.statistics or ("p50", "p95"))]
    held = [(name, summary.statistic(name)) for name in listed]
    return ", ".join(f"{name} {format_value(value, summary.unit)}" for name, value in held if value is not None)


def _percents(fraction: float, limit: float | None = None) -> str:
    percents = fraction * 100
    if abs(percents) >= MILLION:
        return f"{percents:.3g}"
    # Add digits, up to the tolerance of the gate, until the text shows on which side of the limit the value is.
    digits = 1
    while limit and digits < _MAX_DIGITS and round(abs(percents), digits) == round(limit * 100, digits):
        if abs(abs(fraction) - limit) <= TOLERANCE:
            break
        digits += 1
    return f"{percents:.{digits}f}"


def parse_percentage(text: str) -> float:
    """Return 0.2 for `20%` and for `0.2`.

    Raises:
        GuardError: `text` is not a percentage, or is outside 0 to 100 %.

    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(%?)\s*", text)
    if match is None:
        raise GuardError(f"{text!r} is not a percentage: write 20% or 0.2")
    number = float(match[1])
    fraction = number / 100 if match[2] else number
    if fraction <= MAX_GATE:
        return fraction
    if match[2]:
        hint = f"; for a limit of {number:g} % of the baseline write {number - 100:g}%" if number <= 2 * 100 else ""
        raise GuardError(f"{text!r}: a gate is the worsening itself, at most 100%{hint}")
    raise GuardError(f"{text!r}: a fraction must be from 0 to 1; for a percentage write {number:g}%")
