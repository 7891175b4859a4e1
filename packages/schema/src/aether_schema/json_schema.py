"""JSON Schemas generated from msgspec types, the same bytes under every version of msgspec."""

from __future__ import annotations

from importlib.resources import files
from inspect import cleandoc
from typing import TYPE_CHECKING, Any

import msgspec

from aether_schema.summary import Summary

if TYPE_CHECKING:
    from msgspec import Struct

SCHEMA_FILE = "summary.schema.json"


def generate_schema() -> bytes:
    """Return the JSON Schema (draft 2020-12) of a summary, as the types have it now."""
    return render_json_schema("Aether Bench summary, schema_version 1", Summary)


def published_schema() -> bytes:
    """Return the JSON Schema as the package ships it."""
    return files("aether_schema").joinpath(SCHEMA_FILE).read_bytes()


def render_json_schema(title: str, *types: type[Struct]) -> bytes:
    """Return the JSON Schema (draft 2020-12) of a document that has one of `types`, as indented JSON."""
    schemas, components = msgspec.json.schema_components(types)
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **(schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}),
        "$defs": components,
    }
    return msgspec.json.format(msgspec.json.encode(_normalize(document)), indent=2) + b"\n"


def _normalize(node: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a schema with clean descriptions and sorted alternatives.

    Versions of msgspec differ in both: before 0.23 a docstring keeps the indentation of its source, and 0.22 changed
    the order of `anyOf`. The order means nothing to a validator; `null` goes last for the reader.
    """
    if isinstance(node, list):
        return [_normalize(each) for each in node]
    if not isinstance(node, dict):
        return node
    normal = {key: _normalize(value) for key, value in node.items()}
    if isinstance(description := normal.get("description"), str):
        normal["description"] = cleandoc(description)
    if isinstance(alternatives := normal.get("anyOf"), list):
        normal["anyOf"] = sorted(alternatives, key=lambda each: (each == {"type": "null"}, msgspec.json.encode(each)))
    return normal
