"""Writes the published JSON Schemas as the types have them now: `hatch run lint:schemas`."""

from __future__ import annotations

from pathlib import Path

from aether_guard.machine import generate_ab_schema, generate_check_schema
from aether_schema.json_schema import generate_schema

PACKAGES = Path(__file__).resolve().parent.parent / "packages"

if __name__ == "__main__":
    schema, guard = PACKAGES / "schema/src/aether_schema", PACKAGES / "guard/src/aether_guard"
    (schema / "summary.schema.json").write_bytes(generate_schema())
    (guard / "check.schema.json").write_bytes(generate_check_schema())
    (guard / "ab.schema.json").write_bytes(generate_ab_schema())
