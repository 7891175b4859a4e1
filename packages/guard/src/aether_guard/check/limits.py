"""Absolute limits of figures, such as `200 MB`. Pure."""

from __future__ import annotations

import re

from aether_guard.errors import GuardError
from aether_schema import printable

_NUMBER = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([^\d\s.].*)?\s*")
#: Units that can be converted into one another, each group with the size of its units.
_GROUPS: tuple[dict[str, float], ...] = (
    {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0},
    {"B": 1.0, "bytes": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30},
    {"B/s": 1e-6, "kB/s": 1e-3, "MB/s": 1.0, "GB/s": 1e3},
)


def parse_limit(text: str) -> tuple[float, str]:
    """Return the number and the unit of a limit; the unit is empty if the text has none.

    Raises:
        GuardError: it is not a number with or without a unit.

    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise GuardError(f"{printable(text)!r} is not a limit: write 200 MB, 5 ms or a number")
    return float(match[1]), (match[2] or "").strip()


def limit_in(text: str, unit: str) -> float:
    """Return a limit in `unit`.

    Raises:
        GuardError: it has a unit that cannot be converted.

    """
    number, own = parse_limit(text)
    if own in {"", unit}:
        return number
    for group in _GROUPS:
        if own in group and unit in group:
            return number * group[own] / group[unit]
    raise GuardError(f"limit: {printable(text)} is not in {printable(unit)}")
