"""A small part of what `hatch run guard:import-fuzz` does."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aether_formats.registry import format_names

if TYPE_CHECKING:
    from types import ModuleType

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "fuzz_import.py"


@pytest.fixture(scope="session")
def fuzz() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_import", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("form", format_names())
def test_a_damaged_file_is_imported_or_refused_in_one_line(fuzz: ModuleType, form: str, tmp_path: Path) -> None:
    became = fuzz.fuzz(form, 200, 1, str(tmp_path))
    assert sum(became.values()) == 200
    assert became["imported"] > 0
    assert became["refused"] > 0
