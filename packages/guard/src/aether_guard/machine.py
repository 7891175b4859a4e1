"""The report as JSON, and the JSON Schemas of what the commands print."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import msgspec

from aether_guard.verdict import Report

SCHEMA_FILE = "check.schema.json"
AB_SCHEMA_FILE = "ab.schema.json"
# They command terminals, as those below U+0020 do.
_BARE_CONTROLS = re.compile("[\x7f-\x9f]")


def render_json(report: Report) -> str:
    """Return the report as one JSON object; keys that do not apply are null."""
    return to_json(report)


def to_json(document: object, indent: int = 2) -> str:
    """Return a document as indented JSON, with the control characters escaped that JSON lets stand as they are.

    Text that JSON cannot hold, the bytes of a name that are no UTF-8, is escaped as well.
    """
    try:
        encoded = msgspec.json.encode(document)
    except UnicodeEncodeError:
        encoded = msgspec.json.encode(_legible(msgspec.to_builtins(document)))
    text = msgspec.json.format(encoded, indent=indent).decode()
    return _BARE_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def _legible(value: Any) -> Any:  # noqa: ANN401 - whatever JSON has
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_legible(key): _legible(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_legible(each) for each in value]
    return value


def generate_check_schema() -> bytes:
    """Return the JSON Schema (draft 2020-12) of `check --format json`, as the types have it now."""
    from aether_schema.json_schema import render_json_schema

    return render_json_schema("aether-guard check --format json", Report)


def generate_ab_schema() -> bytes:
    """Return the JSON Schema (draft 2020-12) of `ab --format json`, of one bench or of several."""
    from aether_guard.ab.outcome import ComparisonResult, ComparisonResults
    from aether_schema.json_schema import render_json_schema

    return render_json_schema("aether-guard ab --format json", ComparisonResult, ComparisonResults)


def published_check_schema() -> bytes:
    """Return the JSON Schema of `check` as the package ships it."""
    return files("aether_guard").joinpath(SCHEMA_FILE).read_bytes()


def published_ab_schema() -> bytes:
    """Return the JSON Schema of `ab` as the package ships it."""
    return files("aether_guard").joinpath(AB_SCHEMA_FILE).read_bytes()
