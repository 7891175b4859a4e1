"""The JSON Schema of the summary, generated from its types."""

from __future__ import annotations

from importlib.resources import files

import msgspec

from aether_schema.summary import Summary

SCHEMA_FILE = "summary.schema.json"


def generate_schema() -> bytes:
    """Return the JSON Schema (draft 2020-12) of a summary, as the types have it now."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Aether Bench summary, schema_version 1",
        **msgspec.json.schema(Summary),
    }
    return msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"


def published_schema() -> bytes:
    """Return the JSON Schema as the package ships it."""
    return files("aether_schema").joinpath(SCHEMA_FILE).read_bytes()
