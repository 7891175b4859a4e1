from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Session = Callable[..., subprocess.CompletedProcess[str]]

BENCHES = """
import time

def test_wait(benchmark):
    benchmark.pedantic(time.sleep, args=(0.001,), rounds=8, iterations=1)
"""


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """Run pytest on a file of benches in a temporary folder."""
    pytest.importorskip("pytest_benchmark")
    (tmp_path / "test_benches.py").write_text(BENCHES, encoding="utf-8")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        plain = {key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "PYTEST_"))}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=plain, capture_output=True, text=True, check=False)

    return run


def baseline(tmp_path: Path, factor: float, fullname: str = "test_benches.py::test_wait") -> str:
    """Write a pytest-benchmark file with a median of `factor` ms, without samples, so that only figures are judged."""
    stats = {"median": 0.001 * factor, "rounds": 8, "iterations": 1}
    report = {"benchmarks": [{"fullname": fullname, "name": "test_wait", "params": None, "stats": stats}]}
    (tmp_path / "base.json").write_text(json.dumps(report), encoding="utf-8")
    return "base.json"


def test_session_without_a_regression_passes(session: Session, tmp_path: Path) -> None:
    done = session("--aether-check", "--aether-baseline", baseline(tmp_path, 1000))
    assert done.returncode == 0, done.stdout
    assert "test_benches.py::test_wait" in done.stdout
    assert "improvement" in done.stdout


def test_session_with_a_regression_fails_with_a_warning(session: Session, tmp_path: Path) -> None:
    done = session("--aether-check", "--aether-baseline", baseline(tmp_path, 0.01))
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert "::warning " in done.stdout


def test_missing_bench_is_a_usage_error(session: Session, tmp_path: Path) -> None:
    gone = baseline(tmp_path, 100, "test_benches.py::test_gone")
    done = session("--aether-check", "--aether-baseline", gone)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "there is no current summary of the bench test_benches.py::test_gone" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--aether-baseline", "nowhere.json"], "nowhere.json: no such file"),
        ([], "no baseline: name one with --aether-baseline"),
        (["--aether-baseline", "base.json", "--benchmark-disable"], "no bench was measured: they are disabled"),
        (["--aether-baseline", "base.json", "--benchmark-skip"], "no bench was measured: --benchmark-skip"),
    ],
)
def test_session_that_cannot_be_judged_does_not_pass(
    session: Session, tmp_path: Path, arguments: list[str], message: str
) -> None:
    baseline(tmp_path, 100)
    done = session("--aether-check", *arguments)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert message in done.stdout


def test_unexpected_error_is_one_line(session: Session, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "def pytest_benchmark_update_machine_info(config, machine_info):\n"
        "    raise KeyError('a\\x1b[2J\\n::error::b')\n"
    )
    done = session("--aether-check", "--aether-baseline", baseline(tmp_path, 100))
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "aether-guard: error: unexpected KeyError: " in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "\x1b[2J" not in done.stdout


OBJECTS = """
import math, time
import pytest

class Codec:
    def work(self):
        time.sleep(0.001)

@pytest.mark.parametrize("codec, size, rate", [(Codec(), 2**80, math.nan), (Codec(), 1, None)], ids=["a", "b"])
def test_codec(benchmark, codec, size, rate):
    benchmark.pedantic(codec.work, rounds=8, iterations=1)
"""


def test_session_matches_its_own_file(session: Session, tmp_path: Path) -> None:
    (tmp_path / "test_benches.py").write_text(OBJECTS, encoding="utf-8")
    assert session("--benchmark-json=own.json").returncode == 0
    assert "UNSERIALIZABLE[" in (tmp_path / "own.json").read_text(encoding="utf-8")
    done = session("--aether-check", "--aether-baseline", "own.json", "--aether-gate", "100%")
    assert done.returncode != pytest.ExitCode.USAGE_ERROR, done.stdout
    assert "error:" not in done.stdout
    assert "test_benches.py::test_codec[a]" in done.stdout


def test_storage_folder_means_the_newest_run_of_this_machine(session: Session, tmp_path: Path) -> None:
    assert session("--benchmark-autosave").returncode == 0
    (stored,) = tmp_path.glob(".benchmarks/*/0001_*.json")
    for name in ("0002_gone.json", "../Elsewhere-CPython-3.11-64bit/0001_gone.json"):
        target = stored.parent / name
        target.parent.mkdir(exist_ok=True)
        target.write_text(stored.read_text(encoding="utf-8").replace("test_wait", "test_gone"), encoding="utf-8")
    done = session("--aether-check", "--aether-baseline", ".benchmarks")
    assert "there is no current summary of the bench test_benches.py::test_gone" in done.stdout
    (stored.parent / "0002_gone.json").unlink()
    done = session("--aether-check", "--aether-baseline", ".benchmarks", "--aether-gate", "100%")
    assert done.returncode != pytest.ExitCode.USAGE_ERROR, done.stdout


def test_verdict_follows_the_table_of_pytest_benchmark(session: Session, tmp_path: Path) -> None:
    done = session("--aether-check", "--aether-baseline", baseline(tmp_path, 1000))
    assert 0 < done.stdout.index("Name (time in") < done.stdout.index("aether-guard")


def test_verdict_is_printed_if_pytest_benchmark_fails(session: Session, tmp_path: Path) -> None:
    session("--benchmark-save=first")
    comparing = ["--benchmark-compare", "--benchmark-compare-fail=min:0.000000001"]
    done = session("--aether-check", "--aether-baseline", baseline(tmp_path, 1000), *comparing)
    assert "improvement" in done.stdout


def test_bench_that_fails_while_measured_is_named(session: Session, tmp_path: Path) -> None:
    failing = BENCHES + "\ndef test_bad(benchmark):\n    benchmark.pedantic(lambda: 1 / 0, rounds=3)\n"
    (tmp_path / "test_benches.py").write_text(failing, encoding="utf-8")
    done = session("--aether-check", "--aether-baseline", baseline(tmp_path, 1000))
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "test_benches.py::test_bad: failed while it was measured" in done.stdout


def test_invalid_gate_is_refused_at_the_start(session: Session, tmp_path: Path) -> None:
    done = session("--aether-check", "--aether-baseline", baseline(tmp_path, 1), "--aether-gate", "150%")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--aether-gate: '150%'" in done.stderr


def test_nothing_is_judged_without_the_option(session: Session) -> None:
    done = session()
    assert done.returncode == 0
    assert "aether" not in done.stdout
