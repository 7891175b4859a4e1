"""Writing summaries as other tools read them. One module a format, each a pure function to text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aether_formats.errors import FormatError

if TYPE_CHECKING:
    from aether_schema import Summary

#: Figures between these, and 0, have a square, an inverse and any unit that still are floating-point numbers.
SMALLEST, LARGEST = 1e-150, 1e150


def check_figures(summary: Summary) -> None:
    """Refuse figures that would overflow in another unit or in other tools' statistics.

    Raises:
        FormatError: there is one; the message names the key.

    """
    samples = [value for values in summary.samples or () for value in values]
    for key, values in (("p50", [summary.p50]), ("p95", [summary.p95]), ("samples", samples)):
        for value in values:
            if value and not SMALLEST <= value <= LARGEST:
                raise FormatError(
                    f"{key}: {value:g} cannot be exported: neither 0 nor from {SMALLEST:g} to {LARGEST:g}"
                )
