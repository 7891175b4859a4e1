"""Writes the published JSON Schemas as the types have them now: `hatch run lint:schemas`."""

from __future__ import annotations

from pathlib import Path

from aether_compare.json_schema import generate_ab_schema
from aether_guard.report.json_report import generate_check_schema
from aether_schema.json_schema import generate_schema

PACKAGES = Path(__file__).resolve().parent.parent / "packages"

if __name__ == "__main__":
    (PACKAGES / "schema/src/aether_schema/summary.schema.json").write_bytes(generate_schema())
    (PACKAGES / "guard/src/aether_guard/check.schema.json").write_bytes(generate_check_schema())
    (PACKAGES / "compare/src/aether_compare/ab.schema.json").write_bytes(generate_ab_schema())
