"""A small part of what `hatch run guard:fuzz` does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "fuzz_guard.py"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="makes pipes, devices and names of POSIX")


@pytest.mark.parametrize(("way", "count"), [("call", 300), ("run", 20)])
def test_a_hostile_command_line_ends_as_documented(way: str, count: int) -> None:
    command = [sys.executable, str(SCRIPT), way, "--count", str(count), "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{count} command lines, seed 1: " in done.stdout
    assert "\n  0 defects\n" in done.stdout
