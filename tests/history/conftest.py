"""Histories: recorded through the command, written as rows, and read back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from aether_history.row import Row, encode_lines, file_stem, utc_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


def row_of(number: int = 0, **changes: Any) -> Row:
    """Return a row, an hour later for every `number`, of a commit of its own."""
    moment = utc_text(BEGINNING + timedelta(hours=number))
    plain: dict[str, Any] = {
        "run_id": f"r{number}",
        "recorded_at": moment,
        "timestamp": moment,
        "bench_id": "packaging",
        "metric": "duration_ms",
        "unit": "ms",
        "better": "lower",
        "p50": 10.0,
        "p95": 12.0,
        "n": 60,
        "commit": f"{number:040x}",
        "branch": "main",
    }
    if "p50" in changes and "p95" not in changes:
        changes["p95"] = changes["p50"] * 1.1
    return Row(**{**plain, **changes})


@pytest.fixture(scope="session")
def row() -> Callable[..., Row]:
    return row_of


@pytest.fixture
def history(tmp_path: Path) -> Callable[[Sequence[Row]], str]:
    """Write rows into a history, a file a run, and return its name in the test's folder."""

    def write(rows: Sequence[Row]) -> str:
        folder = tmp_path / "history"
        folder.mkdir(exist_ok=True)
        for one in rows:
            (folder / f"{file_stem([one])}.jsonl").write_bytes(encode_lines([one]))
        return "history"

    return write


@pytest.fixture
def lines(tmp_path: Path) -> Callable[[], list[dict[str, Any]]]:
    """Return the rows in the JSON lines of a history in the test's folder, as they stand there."""

    def read(name: str = "target/history") -> list[dict[str, Any]]:
        files = sorted((tmp_path / name).glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]

    return read
