from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from aether_guard.verdict import Judgement
from aether_schema import Summary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# How long an example takes says something about the machine, nothing about the code.
settings.register_profile("aether", deadline=None, max_examples=200, database=None)
settings.load_profile("aether")

DURATION = {"metric": "duration_ms", "unit": "ms"}
THROUGHPUT = {"metric": "throughput_mbs", "unit": "MB/s"}
REQUIRED = {
    "bench_id": "packaging",
    **DURATION,
    "p50": 0.0,
    "p95": 10.0,
    "n": 60,
    "timestamp": "2026-11-23T23:52:51+00:00",
}


def fields_of(*, throughput: bool, changes: dict[str, Any]) -> dict[str, Any]:
    return {**REQUIRED, **(THROUGHPUT if throughput else {}), **changes}


@pytest.fixture(scope="session")
def summary() -> Callable[..., Summary]:
    def build(*, throughput: bool = False, **changes: Any) -> Summary:
        return Summary(**fields_of(throughput=throughput, changes=changes))

    return build


@pytest.fixture(scope="session")
def judgement() -> Callable[..., Judgement]:
    def build(**changes: Any) -> Judgement:
        plain = {
            "bench_id": "packaging",
            "verdict": "regression",
            **DURATION,
            "quantile": "p95",
            "baseline": 10.0,
            "current": 12.5,
            "change": 0.25,
            "reason": "p95 25.0 % worse, gate 20 %",
            "baseline_path": "baseline.json",
            "current_path": "current.json",
        }
        return Judgement(**{**plain, **changes})

    return build


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Write a summary into the test's folder and return its name there."""

    def to_file(name: str, *, throughput: bool = False, **changes: Any) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(fields_of(throughput=throughput, changes=changes)), encoding="utf-8")
        return name

    return to_file


@pytest.fixture
def guard(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command in the test's folder, outside any host's CI."""

    def run(
        *arguments: str | Path,
        env: dict[str, str] | None = None,
        cwd: Path = tmp_path,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
    ) -> subprocess.CompletedProcess[str]:
        plain = {key: value for key, value in os.environ.items() if not key.startswith("GITHUB_")}
        return subprocess.run(
            [sys.executable, "-m", "aether_guard", *arguments],
            cwd=cwd,
            env={**plain, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8", **(env or {})},
            stdout=stdout,
            stderr=stderr,
            encoding="utf-8",
            check=False,
        )

    return run
