from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as t_of_scipy

from aether_guard.stats.t_distribution import t_ppf, t_sf

FREEDOM = st.floats(1, 500)
PROBABILITY = st.floats(0.0001, 0.9999)

# Both tables come from an arithmetic of 30 digits, and agree with printed tables.


@pytest.mark.parametrize(
    ("t", "freedom", "tail"),
    [
        (0.5, 5, 0.3191494358204645),
        (1.5, 4.7, 0.09877075043139891),
        (2, 1, 0.1475836176504333),
        (2, 3, 0.06966298427942159),
        (3.5, 8, 0.004039541130205945),
        (2.5, 30, 0.009057824534033347),
        (6, 8, 0.0001616966109425745),
        (12, 4, 0.0001382142742514865),
        (1, 1000, 0.1587762090423362),
        (40, 58.5, 1.720455103069197e-44),
        (-1.5, 4.7, 0.9012292495686011),
        (0.001, 7, 0.4996150086224994),
        (1e-8, 2, 0.4999999964644661),
    ],
)
def test_a_tail_is_the_one_of_the_tables(t: float, freedom: float, tail: float) -> None:
    assert t_sf(t, freedom) == pytest.approx(tail, rel=1e-10, abs=0)


@pytest.mark.parametrize(
    ("probability", "freedom", "quantile"),
    [
        (0.95, 1, 6.313751514675043),
        (0.95, 2, 2.919985580353726),
        (0.95, 4, 2.13184678632665),
        (0.95, 5, 2.015048373333024),
        (0.95, 8, 1.859548037530898),
        (0.975, 10, 2.228138851986275),
        (0.99, 4, 3.746947387979197),
        (0.995, 3, 5.840909309733357),
        (0.975, 30, 2.042272456301238),
        (0.95, 5.3, 1.990124256328306),
        (0.95, 117.9, 1.657880649492616),
        (0.9999, 8, 6.441999821020393),
    ],
)
def test_a_quantile_is_the_one_of_the_tables(probability: float, freedom: float, quantile: float) -> None:
    assert t_ppf(probability, freedom) == pytest.approx(quantile, rel=1e-10)


@given(t=st.floats(-40, 40), freedom=st.floats(1, 1e6))
def test_tails_are_those_of_scipy(t: float, freedom: float) -> None:
    assert t_sf(t, freedom) == pytest.approx(float(t_of_scipy.sf(t, freedom)), rel=1e-8, abs=1e-300)


@given(tail=st.floats(1e-9, 0.5), freedom=st.floats(1, 1e6))
def test_quantiles_are_those_of_scipy(tail: float, freedom: float) -> None:
    assert t_ppf(1 - tail, freedom) == pytest.approx(float(t_of_scipy.ppf(1 - tail, freedom)), rel=1e-7, abs=1e-9)


@given(t=st.floats(-1e6, 1e6))
def test_with_one_degree_of_freedom_it_is_cauchys(t: float) -> None:
    assert t_sf(t, 1) == pytest.approx(0.5 - math.atan(t) / math.pi, rel=1e-6, abs=1e-12)


@given(t=st.floats(-30, 30))
def test_with_two_degrees_of_freedom_it_has_its_closed_form(t: float) -> None:
    assert t_sf(t, 2) == pytest.approx(0.5 - t / (2 * math.sqrt(2 + t * t)), rel=1e-9, abs=1e-12)


@given(t=st.floats(-100, 100), freedom=FREEDOM)
def test_both_tails_are_everything(t: float, freedom: float) -> None:
    assert t_sf(t, freedom) + t_sf(-t, freedom) == pytest.approx(1, abs=1e-13)


@given(probability=PROBABILITY, freedom=FREEDOM)
def test_quantiles_lie_symmetrically_around_nothing(probability: float, freedom: float) -> None:
    above, below = t_ppf(probability, freedom), t_ppf(1 - probability, freedom)
    assert above == pytest.approx(-below, rel=1e-9, abs=1e-9)


@given(t=st.floats(-5, 50), further=st.floats(1e-3, 50), freedom=st.floats(1, 30))
def test_further_out_there_is_less_of_a_tail(t: float, further: float, freedom: float) -> None:
    assert t_sf(t + further, freedom) < t_sf(t, freedom)


@given(probability=st.floats(0.55, 0.999), freedom=FREEDOM, more=st.floats(0.1, 100))
def test_more_degrees_of_freedom_bring_a_quantile_nearer(probability: float, freedom: float, more: float) -> None:
    assert t_ppf(probability, freedom + more) < t_ppf(probability, freedom)


@given(probability=PROBABILITY, freedom=FREEDOM)
def test_a_quantile_leaves_above_it_what_it_says(probability: float, freedom: float) -> None:
    assert t_sf(t_ppf(probability, freedom), freedom) == pytest.approx(1 - probability, rel=1e-9)


@pytest.mark.parametrize(("t", "tail"), [(0.0, 0.5), (math.inf, 0.0), (-math.inf, 1.0), (1e200, 0.0), (5e-324, 0.5)])
def test_no_t_is_too_large_or_too_small(t: float, tail: float) -> None:
    assert t_sf(t, 8) == tail
