from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_formats.units import conversion_for


@pytest.mark.parametrize(
    ("unit", "metric", "becomes", "factor", "better"),
    [
        ("s", "duration_ms", "ms", Fraction(1000), "lower"),
        ("seconds", "duration_ms", "ms", Fraction(1000), "lower"),
        ("ms", "duration_ms", "ms", Fraction(1), "lower"),
        ("µs", "duration_ms", "ms", Fraction(1, 1000), "lower"),
        ("μs/op", "duration_ms", "ms", Fraction(1, 1000), "lower"),
        ("ns/iter", "duration_ms", "ms", Fraction(1, 10**6), "lower"),
        ("ns per op", "duration_ms", "ms", Fraction(1, 10**6), "lower"),
        ("min", "duration_ms", "ms", Fraction(60_000), "lower"),
        ("MB/s", "throughput_mbs", "MB/s", Fraction(1), "higher"),
        ("GB/s", "throughput_mbs", "MB/s", Fraction(1000), "higher"),
        ("B/s", "throughput_mbs", "MB/s", Fraction(1, 10**6), "higher"),
        ("MiB/s", "throughput_mbs", "MB/s", Fraction(2**20, 10**6), "higher"),
        ("Mbit/s", "throughput_mbs", "MB/s", Fraction(1, 8), "higher"),
        ("kbps", "throughput_mbs", "MB/s", Fraction(1, 8000), "higher"),
        ("ops/s", "value", "ops/s", Fraction(1), "higher"),
        ("ops/ms", "value", "ops/s", Fraction(1000), "higher"),
        ("ops/ns", "value", "ops/s", Fraction(10**9), "higher"),
        ("req/min", "value", "req/s", Fraction(1, 60), "higher"),
        ("Hz", "value", "ops/s", Fraction(1), "higher"),
        ("B/op", "value", "B/op", Fraction(1), "lower"),
        ("allocs/op", "value", "allocs/op", Fraction(1), "lower"),
        # Of these nobody can know.
        ("Megabytes", "value", "Megabytes", Fraction(1), None),
        ("Percent", "value", "Percent", Fraction(1), None),
        ("widgets/op", "value", "widgets/op", Fraction(1), None),
        ("failures/s", "value", "failures/s", Fraction(1), None),
        ("m", "value", "m", Fraction(1), None),
        ("", "value", "", Fraction(1), None),
    ],
)
def test_a_unit_says_what_it_is_of(unit: str, metric: str, becomes: str, factor: Fraction, better: str | None) -> None:
    known = conversion_for(unit)
    assert (known.metric, known.unit, known.better) == (metric, becomes, better)
    assert Fraction(known.multiply, known.divide) == factor


@given(
    st.floats(min_value=1e-200, max_value=1e200),
    st.sampled_from(["s", "us", "ns", "ps", "min", "GB/s", "kB/s", "B/s", "KiB/s", "GiB/s", "Mbit/s", "ops/us"]),
)
def test_a_conversion_is_the_number_nearest_to_the_exact_one(value: float, unit: str) -> None:
    known = conversion_for(unit)
    assert known.convert(value) == float(Fraction(value) * known.multiply / known.divide)
