"""The JSON Schema of `ab --format json`."""

from __future__ import annotations

from importlib.resources import files

from aether_compare.result import ComparisonResult, ComparisonResults

SCHEMA_FILE = "ab.schema.json"


def generate_ab_schema() -> bytes:
    """Return the JSON Schema (draft 2020-12) of `ab --format json` for a single bench and for many."""
    from aether_schema.json_schema import render_json_schema

    return render_json_schema("aether-guard ab --format json", ComparisonResult, ComparisonResults)


def published_ab_schema() -> bytes:
    """Return the JSON Schema of `ab` as the package ships it."""
    return files("aether_compare").joinpath(SCHEMA_FILE).read_bytes()
