from __future__ import annotations

from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from aether_harness import ByteCount, UsageError
from aether_harness.benchmark.parameters import build_params, params_as_scalars, parse_settings, suggestion


class Params(Struct, frozen=True, kw_only=True):
    files: Annotated[int, Meta(ge=1)] = 100
    size: ByteCount = 1024
    ratio: float = 0.5
    exact: bool = False
    tree: str | None = None


def test_settings_are_grouped_by_bench() -> None:
    settings = parse_settings(["pack.files=1", "pack.size=2", "stream.chunk=3"])
    assert settings == {"pack": {"files": "1", "size": "2"}, "stream": {"chunk": "3"}}


@given(st.text())
def test_a_value_is_everything_behind_the_first_equals_sign(value: str) -> None:
    assert parse_settings([f"pack.tree={value}"]) == {"pack": {"tree": value}}


@pytest.mark.parametrize("text", ["", "pack", "pack.files", "files=1", ".files=1", "pack.=1", "=", "."])
def test_a_setting_of_another_form_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"BENCH\.KEY=VALUE, for example"):
        parse_settings([text])


def test_a_key_set_twice_is_refused() -> None:
    with pytest.raises(UsageError, match=r"pack\.files is set twice"):
        parse_settings(["pack.files=1", "pack.files=2"])


def test_a_near_word_is_suggested_and_otherwise_all_are_listed() -> None:
    assert suggestion("fils", ["size", "files"]) == "; did you mean files?"
    assert suggestion("xyz", ["size", "files"]) == "; known: files, size"
    assert suggestion("xyz", []) == "; known: none"


def test_without_settings_the_defaults_hold() -> None:
    assert build_params(Params, "pack", {}) == Params()


def test_texts_become_values_of_the_parameters_types() -> None:
    given_texts = {"files": "7", "size": "9", "ratio": "1e-3", "exact": "true", "tree": "./a=b"}
    assert build_params(Params, "pack", given_texts) == Params(files=7, size=9, ratio=0.001, exact=True, tree="./a=b")


@pytest.mark.parametrize(
    ("text", "count"),
    [("0", 0), ("12", 12), ("1K", 1024), ("1k", 1024), ("2 KiB", 2048), ("8M", 8 * 2**20), ("1GB", 2**30)],
)
def test_byte_counts_take_multiples_of_1024(text: str, count: int) -> None:
    assert build_params(Params, "pack", {"size": text}).size == count


def test_an_empty_text_leaves_a_parameter_unset_that_is_not_set_by_default() -> None:
    assert build_params(Params, "pack", {"tree": ""}).tree is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fils": "1"}, "-p pack.fils: no such parameter; did you mean files?"),
        ({"files": "many"}, "-p pack.files=many: expected `int`"),
        ({"files": "0"}, "-p pack.files=0: expected `int` >= 1"),
        ({"files": "8M"}, "-p pack.files=8M: expected `int`"),
        ({"files": ""}, "-p pack.files=: expected `int`"),
        ({"size": "8T"}, "-p pack.size=8T: expected `int`"),
        ({"ratio": "half"}, "-p pack.ratio=half: expected `float`"),
        ({"exact": "perhaps"}, "-p pack.exact=perhaps: expected `bool`"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused_by_its_name(settings: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        build_params(Params, "pack", settings)
    assert str(refused.value).startswith(message)


def test_parameters_are_recorded_as_plain_scalars() -> None:
    scalars = params_as_scalars(Params(files=2))
    assert scalars == {"files": 2, "size": 1024, "ratio": 0.5, "exact": False, "tree": None}
