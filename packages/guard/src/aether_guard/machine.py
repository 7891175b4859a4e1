"""The report as JSON, and the JSON Schema of that."""

from __future__ import annotations

from importlib.resources import files

import msgspec
from msgspec.structs import replace

from aether_guard.verdict import Judgement, Report

SCHEMA_FILE = "check.schema.json"


def render_json(report: Report) -> str:
    """Return the report as one JSON object; keys that do not apply are null."""
    benches = [replace(judgement, **_legible_paths(judgement)) for judgement in report.benches]
    encoded = msgspec.json.encode(replace(report, benches=tuple(benches)))
    return msgspec.json.format(encoded, indent=2).decode() + "\n"


def _legible_paths(judgement: Judgement) -> dict[str, str]:
    """Return the paths with what JSON cannot hold, bytes that are no UTF-8, escaped."""
    paths = {key: getattr(judgement, key) for key in ("baseline_path", "current_path")}
    return {key: path.encode(errors="backslashreplace").decode() for key, path in paths.items() if path is not None}


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
