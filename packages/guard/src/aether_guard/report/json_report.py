"""The JSON report of `check` and its JSON Schema."""

from __future__ import annotations

from importlib.resources import files

from aether_guard.check.verdict import Report
from aether_schema.json_text import to_json

SCHEMA_FILE = "check.schema.json"


def render_json(report: Report) -> str:
    """Return the report as one JSON object; keys that do not apply are null."""
    return to_json(report)


def generate_check_schema() -> bytes:
    """Return the JSON Schema (draft 2020-12) of `check --format json`, generated from the types."""
    from aether_schema.json_schema import render_json_schema

    return render_json_schema("aether-guard check --format json", Report)


def published_check_schema() -> bytes:
    """Return the JSON Schema of `check` that the package ships."""
    return files("aether_guard").joinpath(SCHEMA_FILE).read_bytes()
