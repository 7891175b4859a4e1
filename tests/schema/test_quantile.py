from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aether_schema import quantile

FIGURES = st.lists(st.floats(min_value=0, max_value=1e12), min_size=1, max_size=50)
PROBABILITY = st.floats(0, 1)


def test_the_median_of_an_even_count_lies_between_the_middle_two() -> None:
    assert quantile([4, 1, 3, 2], 0.5) == 2.5


def test_no_values_have_no_quantile() -> None:
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


@pytest.mark.parametrize("probability", [-0.01, 1.01, math.nan, math.inf])
def test_a_probability_outside_0_to_1_is_refused(probability: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile([1, 2], probability)


@pytest.mark.parametrize(
    ("values", "probability", "expected"),
    [
        ([7.0], 0.95, 7.0),
        ([1, 2], 0.95, 1.95),
        (range(1, 101), 0.95, 95.05),
        (range(1, 22), 0.95, 20),
        ([0, 10], 0, 0),
        ([0, 10], 1, 10),
    ],
)
def test_the_worked_examples_of_definition_7_come_out(values: list[float], probability: float, expected: float) -> None:
    assert quantile(values, probability) == pytest.approx(expected, rel=1e-12)


@given(FIGURES.filter(lambda values: len(values) > 1))
def test_every_percentile_is_the_one_of_the_standard_library(values: list[float]) -> None:
    reference = statistics.quantiles(values, n=100, method="inclusive")
    own = [quantile(values, percent / 100) for percent in range(1, 100)]
    assert own == pytest.approx(reference, rel=1e-9, abs=1e-12 * max(values, default=0) + 1e-300)


@given(FIGURES, PROBABILITY)
def test_a_quantile_lies_between_the_smallest_and_the_largest(values: list[float], probability: float) -> None:
    assert min(values) <= quantile(values, probability) <= max(values)


@given(FIGURES)
def test_the_ends_are_the_smallest_and_the_largest(values: list[float]) -> None:
    assert (quantile(values, 0), quantile(values, 1)) == (min(values), max(values))


@given(FIGURES, PROBABILITY, st.randoms(use_true_random=False))
def test_the_order_of_the_values_does_not_matter(values: list[float], probability: float, random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert quantile(shuffled, probability) == quantile(values, probability)


@given(FIGURES)
def test_the_95th_percentile_is_never_below_the_median(values: list[float]) -> None:
    assert quantile(values, 0.95) >= quantile(values, 0.5)


@given(st.floats(min_value=1e-3, max_value=1e9))
@example(36072720.79716299)
def test_the_95th_percentile_of_two_neighbouring_numbers_is_never_below_their_median(low: float) -> None:
    values = [low, math.nextafter(low, math.inf)]
    assert quantile(values, 0.95) >= quantile(values, 0.5)


@given(FIGURES, PROBABILITY, st.integers(-20, 20))
def test_a_change_of_unit_changes_the_quantile_alike(values: list[float], probability: float, power: int) -> None:
    factor = 2.0**power
    scaled = quantile([value * factor for value in values], probability)
    assert scaled == pytest.approx(quantile(values, probability) * factor, rel=1e-12, abs=1e-300)


def test_values_at_the_end_of_the_range_of_a_float_do_not_overflow() -> None:
    assert quantile([1.7e308, 1.7e308, 1.7e308], 0.95) == 1.7e308


def test_any_iterable_of_values_will_do_and_stays_as_it_is() -> None:
    values = [3.0, 1.0, 2.0]
    assert quantile((value for value in values), 0.5) == quantile(values, 0.5)
    assert values == [3.0, 1.0, 2.0]
