"""Student's t distribution, as much of it as a comparison needs, without the start-up cost of a library for it.

Sources: the regularized incomplete beta function by its continued fraction (Abramowitz and Stegun 26.5.8),
evaluated by the modified method of Lentz (Thompson and Barnett 1986); the tail of t by 26.7.1 and 26.5.27.
"""

from __future__ import annotations

import math
from functools import lru_cache

_TINY = 1e-300
_PRECISION = 1e-14
_MAX_STEPS = 500


def t_sf(t: float, freedom: float) -> float:
    """Return the chance that a t variable with `freedom` degrees of freedom exceeds `t`."""
    total = freedom + t * t
    half = _incomplete_beta(freedom / 2, 0.5, freedom / total, t * t / total) / 2
    return half if t > 0 else 1 - half


@lru_cache(maxsize=4096)
def t_ppf(probability: float, freedom: float) -> float:
    """Return the value that a t variable stays below with `probability`, between 0 and 1 exclusively."""
    if probability < 0.5:
        return -t_ppf(1 - probability, freedom)
    low, high = 0.0, 1.0
    while t_sf(high, freedom) > 1 - probability:
        high *= 2
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if t_sf(middle, freedom) > 1 - probability:
            low = middle
        else:
            high = middle
        if middle in {low, high} and math.nextafter(low, high) >= high:
            break
    return (low + high) / 2


def _incomplete_beta(a: float, b: float, x: float, rest: float) -> float:
    """Return the function at `x`; `rest` is 1 - `x`, which loses digits near 1."""
    if x <= 0 or rest <= 0:
        return float(x > 0)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest)
    if x < (a + 1) / (a + b + 2):
        return math.exp(log_front) * _continued_fraction(a, b, x) / a
    return 1 - math.exp(log_front) * _continued_fraction(b, a, rest) / b


def _continued_fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, _MAX_STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for coefficient in (even, odd):
            d = 1 / _away_from_zero(1 + coefficient * d)
            c = _away_from_zero(1 + coefficient / c)
            step = c * d
            result *= step
        if abs(step - 1) < _PRECISION:
            break
    return result


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
