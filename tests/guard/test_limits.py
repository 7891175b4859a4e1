from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_guard.check.limits import limit_in, parse_limit
from aether_guard.errors import GuardError


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("200 MB", "bytes", 200e6),
        ("1.5GiB", "bytes", 1.5 * 2**30),
        ("5 ms", "ms", 5),
        ("2 s", "ms", 2000),
        ("1 GB/s", "MB/s", 1000),
        ("300", "calls", 300),
        ("300 calls", "calls", 300),
    ],
)
def test_limits_are_converted(text: str, unit: str, value: float) -> None:
    assert limit_in(text, unit) == pytest.approx(value)


@pytest.mark.parametrize(("text", "unit"), [("5 ms", "bytes"), ("5 MB", "MB/s"), ("5 calls", "ms")])
def test_other_units_are_refused(text: str, unit: str) -> None:
    with pytest.raises(GuardError, match=f"limit: {text} is not in {unit}"):
        limit_in(text, unit)


@pytest.mark.parametrize("text", ["", "MB", "-1 MB", "nan", "1 2", "\x1b"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(GuardError, match="is not a limit"):
        parse_limit(text)


@given(text=st.text(max_size=20))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        number, unit = parse_limit(text)
    except GuardError:
        return
    assert number >= 0
    assert unit == unit.strip()
