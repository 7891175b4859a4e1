from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_schema import InvalidSummaryError, SummaryFileError, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("größer 📦", "größer 📦"),
        ("a\nb", "a\\nb"),
        ("a\x1b[31m", "a\\x1b[31m"),
        ("a\u2028b", "a\\u2028b"),
        ("a\u202eb", "a\\u202eb"),
        ("\udcff.json", "\\udcff.json"),
        ("::error::a", "\\x3a:error::a"),
        ("  ::error::a", "  \\x3a:error::a"),
        ("a::b", "a::b"),
        ("a ##[error]b", "a \\x23#[error]b"),
        ("##vso[task.complete]a", "\\x23#vso[task.complete]a"),
        ("a ## b[1]", "a ## b[1]"),
    ],
)
def test_what_could_forge_a_line_of_output_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters()))
def test_whatever_the_text_it_becomes_one_printable_line(text: str) -> None:
    assert printable(text).isprintable()


def test_an_error_is_one_line_that_names_the_file_and_the_key() -> None:
    problem = str(InvalidSummaryError("is\nwrong", key="p95"))
    assert str(SummaryFileError("bad\nname.json", problem)) == "bad\\nname.json: p95: is\\nwrong"
