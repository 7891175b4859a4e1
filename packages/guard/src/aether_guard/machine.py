"""The report as JSON, and the JSON Schema of that."""

from __future__ import annotations

from importlib.resources import files

import msgspec

from aether_guard.verdict import Report

SCHEMA_FILE = "check.schema.json"


def render_json(report: Report) -> str:
    """Return the report as one JSON object; keys that do not apply are null."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"


def generate_check_schema() -> bytes:
    """Return the JSON Schema (draft 2020-12) of `check --format json`, as the types have it now."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "aether-guard check --format json",
        **msgspec.json.schema(Report),
    }
    return msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"


def published_check_schema() -> bytes:
    """Return the JSON Schema as the package ships it."""
    return files("aether_guard").joinpath(SCHEMA_FILE).read_bytes()
