from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec import Struct

from aether_schema import Summary, encode_summary
from aether_schema.json_schema import generate_schema, published_schema, render_json_schema

if TYPE_CHECKING:
    from collections.abc import Callable

FIXTURES = Path(__file__).parents[2] / "fixtures"
VALIDATOR = Draft202012Validator(json.loads(published_schema()))
# What holds between two keys, and the text of a timestamp, is beyond a schema made from types.
BEYOND_THE_SCHEMA = {
    *("p95_below_p50", "unit_of_another_metric", "value_without_better", "timestamp_not_iso"),
    *("samples_disagree", "samples_miscounted", "reference_misshapen", "runs_doubled"),
}
NOT_JSON = {*("empty", "truncated", "not_json", "not_utf8", "deep"), *("nan", "infinity", "overflow")}


def invalid_fixtures() -> list[Path]:
    beyond = NOT_JSON | BEYOND_THE_SCHEMA
    return [path for path in sorted((FIXTURES / "invalid").iterdir()) if path.stem not in beyond]


def test_the_published_schema_is_the_one_of_the_types() -> None:
    assert published_schema() == generate_schema()


class Leaf(Struct):
    """A part.

    Indented like its source:
        and once more.
    """


class Tree(Struct):
    """A whole."""

    leaf: Leaf | None
    size: float | int | str | None


def test_a_description_has_no_indentation_of_its_source() -> None:
    described = json.loads(render_json_schema("a tree", Tree))["$defs"]["Leaf"]["description"]
    assert described == "A part.\n\nIndented like its source:\n    and once more."


def test_null_is_the_last_alternative() -> None:
    properties = json.loads(render_json_schema("a tree", Tree))["$defs"]["Tree"]["properties"]
    assert properties["leaf"]["anyOf"] == [{"$ref": "#/$defs/Leaf"}, {"type": "null"}]
    assert [each["type"] for each in properties["size"]["anyOf"]] == ["integer", "number", "string", "null"]


def test_a_document_of_two_types_is_either() -> None:
    schema = json.loads(render_json_schema("a tree or a leaf", Tree, Leaf))
    assert schema["anyOf"] == [{"$ref": "#/$defs/Leaf"}, {"$ref": "#/$defs/Tree"}]


def test_the_published_schema_is_itself_valid() -> None:
    Draft202012Validator.check_schema(json.loads(published_schema()))
    assert VALIDATOR.schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.json")) + sorted(FIXTURES.glob("valid/*.json")), ids=str)
def test_the_published_schema_accepts_every_valid_fixture(path: Path) -> None:
    assert list(VALIDATOR.iter_errors(json.loads(path.read_bytes().decode("utf-8-sig")))) == []


@pytest.mark.parametrize("path", invalid_fixtures(), ids=lambda path: path.stem)
def test_the_published_schema_rejects_what_a_type_can_say(path: Path) -> None:
    assert not VALIDATOR.is_valid(json.loads(path.read_bytes()))


@given(st.data())
def test_the_published_schema_accepts_whatever_is_written(
    summaries: st.SearchStrategy[Summary], data: st.DataObject
) -> None:
    written = json.loads(encode_summary(data.draw(summaries)))
    assert list(VALIDATOR.iter_errors(written)) == []


def test_the_published_schema_accepts_keys_of_a_later_version(document: Callable[..., bytes]) -> None:
    assert VALIDATOR.is_valid(json.loads(document(later={"p99": 3})))


@pytest.mark.parametrize("arguments", [[], ["--generate"]])
def test_the_module_prints_the_schema(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "aether_schema", *arguments], capture_output=True, check=True)
    assert done.stdout == published_schema()
