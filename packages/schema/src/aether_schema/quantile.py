"""The quantile of the project."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def quantile(values: Iterable[float], probability: float) -> float:
    """Return the type 7 sample quantile of `values` at `probability`.

    `values` need not be sorted and must not be empty; `probability` lies in [0, 1]. The result has
    the unit of the values and always lies between the smallest and the largest.

    Source: Hyndman and Fan (1996), Sample Quantiles in Statistical Packages, definition 7:
    linear interpolation at h = (n - 1) p between the order statistics around it.

    Raises:
        ValueError: `values` is empty or `probability` is outside [0, 1].

    """
    if not 0 <= probability <= 1:
        message = f"a probability lies between 0 and 1, not {probability}"
        raise ValueError(message)
    ordered = sorted(values)
    if not ordered:
        message = "no values, no quantile"
        raise ValueError(message)
    position = (len(ordered) - 1) * probability
    below = math.floor(position)
    low = ordered[below]
    high = ordered[min(below + 1, len(ordered) - 1)]
    fraction = position - below
    # From the nearer end, so that rounding never lets a higher probability have the lower quantile.
    step = high - low
    nearer = low + step * fraction if fraction < 0.5 else high - step * (1 - fraction)
    return min(max(nearer, low), high)
