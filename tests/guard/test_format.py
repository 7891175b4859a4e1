from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_guard.errors import GuardError
from aether_guard.report.format import (
    format_change,
    format_percent,
    format_signed_percent,
    format_value,
    parse_percentage,
)


@pytest.mark.parametrize(
    ("text", "fraction"),
    [
        ("20%", 0.2),
        ("20 %", 0.2),
        (" 20% ", 0.2),
        ("0.2", 0.2),
        (".2", 0.2),
        ("2.5%", 0.025),
        ("0", 0.0),
        ("0%", 0.0),
        ("1", 1.0),
        ("100%", 1.0),
        ("0.5%", 0.005),
    ],
)
def test_percentage_has_a_percent_sign_or_is_a_fraction(text: str, fraction: float) -> None:
    assert parse_percentage(text) == pytest.approx(fraction)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("150%", "for a limit of 150 % of the baseline write 50%"),
        ("120%", "for a limit of 120 % of the baseline write 20%"),
        ("300%", "at most 100%"),
        ("20", "for a percentage write 20%"),
        ("1.2", "from 0 to 1"),
        ("-5%", "write 20% or 0.2"),
        ("20%%", "write 20% or 0.2"),
        ("", "write 20% or 0.2"),
        ("%", "write 20% or 0.2"),
        ("nan", "write 20% or 0.2"),
        ("inf%", "write 20% or 0.2"),
        ("0,2", "write 20% or 0.2"),
        ("twenty", "write 20% or 0.2"),
    ],
)
def test_invalid_percentage_is_refused_with_a_hint(text: str, hint: str) -> None:
    with pytest.raises(GuardError) as caught:
        parse_percentage(text)
    assert hint in str(caught.value)
    assert repr(text) in str(caught.value)


@given(st.text() | st.from_regex(r"\d{1,400}\.?\d{0,9}%?", fullmatch=True))
def test_no_text_parses_to_a_gate_outside_0_to_100_percent(text: str) -> None:
    try:
        fraction = parse_percentage(text)
    except GuardError:
        fraction = 0.0
    assert 0 <= fraction <= 1


@given(st.integers(0, 10_000).map(lambda count: count / 10_000))
def test_formatted_gate_is_parsed_back(fraction: float) -> None:
    assert parse_percentage(format_percent(fraction)) == pytest.approx(fraction)


@pytest.mark.parametrize(
    ("fraction", "shown"), [(0.25, "+25.0 %"), (-0.1, "-10.0 %"), (0.0, "0.0 %"), (-1e-9, "0.0 %"), (2.5, "+250.0 %")]
)
def test_signed_change_has_no_sign_if_it_rounds_to_zero(fraction: float, shown: str) -> None:
    assert format_signed_percent(fraction) == shown


@pytest.mark.parametrize(
    ("change", "words"),
    [(0.25, "25.0 % worse"), (-0.1, "10.0 % better"), (0.0, "unchanged"), (1e-9, "unchanged"), (-1e-9, "unchanged")],
)
def test_change_is_worse_better_or_unchanged(change: float, words: str) -> None:
    assert format_change(change) == words


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0 ms"),
        (0.001, "0.001 ms"),
        (6.75, "6.75 ms"),
        (8.4375, "8.438 ms"),
        (4060.0, "4,060 ms"),
        (1e12, "1e+12 ms"),
    ],
)
def test_value_has_four_digits_and_its_unit(value: float, shown: str) -> None:
    assert format_value(value, "ms") == shown


@given(st.floats(min_value=0, allow_infinity=False))
def test_value_fits_in_16_columns(value: float) -> None:
    assert len(format_value(value, "MB/s")) <= 16
