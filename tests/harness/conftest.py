"""Runs of `aether-bench` as real processes on bench files of a test's own, and values for what is pure."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from aether_harness import RoundContext
from aether_harness.machine.affinity import CpuAssignment
from aether_harness.measure.disturbance import DisturbanceEvidence
from aether_harness.measure.plan import Profile, RunPlan
from aether_harness.measure.runner import RoundResult
from aether_harness.worker.protocol import Opened, SampleTaken, Verified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import psutil

LIMIT_S = 240.0
SMALL = ("--rounds", "1", "--samples", "2", "--warmups", "0")


@pytest.fixture
def place(tmp_path: Path) -> RoundContext:
    """Return a place on CPUs of the system's choice."""
    folder = tmp_path / "place"
    folder.mkdir()
    return RoundContext(folder=str(folder))


@pytest.fixture(scope="session")
def taken() -> Callable[..., SampleTaken]:
    """Return a function that makes a sample of a value in milliseconds."""

    def taken(
        value: float, reference_ms: float = 0.5, phases_ns: dict[str, int] | None = None, **seen: Any
    ) -> SampleTaken:
        evidence = DisturbanceEvidence(**{"elapsed_ns": int(value * 1e6), **seen})
        return SampleTaken(value=value, reference_ms=reference_ms, evidence=evidence, phases_ns=phases_ns or {})

    return taken


@pytest.fixture(scope="session")
def round_of(taken: Callable[..., SampleTaken]) -> Callable[..., RoundResult]:
    """Return a function that makes a round of attempts; plain numbers become undisturbed samples."""

    def round_of(
        *attempts: SampleTaken | float,
        wanted: int | None = None,
        iterations: int = 1,
        cross_reference_ms: float = 0.25,
        note: str | None = None,
        **changes: Any,
    ) -> RoundResult:
        return RoundResult(
            attempts=tuple(each if isinstance(each, SampleTaken) else taken(each) for each in attempts),
            wanted=len(attempts) if wanted is None else wanted,
            opened=Opened(iterations=iterations, versions={"thing": "1.0"}, note=note),
            usage=Verified(cross_reference_ms=cross_reference_ms, peak_memory_bytes=1024, user_cpu_s=0.5),
            **changes,
        )

    return round_of


@pytest.fixture(scope="session")
def plan() -> Callable[..., RunPlan]:
    """Return a function that makes a small plan."""
    small = RunPlan(profile=Profile(rounds=1, samples=2, warmups=0), seed=1, assignment=CpuAssignment())

    def plan(**changes: Any) -> RunPlan:
        return replace(small, **changes)

    return plan


@pytest.fixture
def bench_file(tmp_path: Path) -> Callable[..., str]:
    """Return a function that writes a file of benches, which may use the folder NOTES, and returns its name."""
    (tmp_path / "notes").mkdir()
    head = (
        "from __future__ import annotations",
        "import asyncio, gc, os, signal, subprocess, sys, time",
        "from contextlib import contextmanager",
        "from msgspec import Struct",
        "from aether_harness import BenchError, Sampled, bench",
        f"NOTES = {str(tmp_path / 'notes')!r}",
        "def note(name, text=''):",
        "    with open(os.path.join(NOTES, name), 'a') as file:",
        "        file.write(f'{text}\\n')",
    )

    def bench_file(text: str, name: str = "mine.py") -> str:
        (tmp_path / name).write_text("\n".join((*head, text)), encoding="utf-8")
        return name

    return bench_file


@pytest.fixture
def noted(tmp_path: Path) -> Callable[[str], list[str]]:
    """Return a function that gives the lines the benches have noted under a name."""

    def noted(name: str) -> list[str]:
        path = tmp_path / "notes" / name
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    return noted


@pytest.fixture
def run_env(tmp_path: Path, end_all_in: Callable[[Path], None]) -> Iterator[dict[str, str]]:
    """Yield the environment of a run, whose folder for scratch marks all its processes; end those that are left."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    plain = {key: value for key, value in os.environ.items() if key != "PYTHONDEVMODE"}
    env = {**plain, "TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch), "PYTHONIOENCODING": "utf-8"}
    yield env
    end_all_in(scratch)


@pytest.fixture
def run_processes(run_env: dict[str, str], alive_in: Callable[[str], list[psutil.Process]]) -> Callable[[], list[int]]:
    """Return a function that gives the ids of the processes of the test's runs."""
    return lambda: [process.pid for process in alive_in(run_env["TMPDIR"])]


@pytest.fixture
def aether_bench(tmp_path: Path, run_env: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the command in the test's folder."""

    def aether_bench(
        *arguments: str, stdout: int = subprocess.PIPE, before: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*before, sys.executable, "-m", "aether_harness", *arguments],
            cwd=tmp_path,
            env=run_env,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=LIMIT_S,
            check=False,
        )

    return aether_bench


@pytest.fixture
def run(
    aether_bench: Callable[..., subprocess.CompletedProcess[str]],
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs a small and quiet `aether-bench run` into the folder `out`."""

    def run(*arguments: str, **how: Any) -> subprocess.CompletedProcess[str]:
        return aether_bench("run", "--out", "out", "--quiet", *SMALL, *arguments, **how)

    return run


@pytest.fixture
def started(tmp_path: Path, run_env: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Yield a function that starts the command as a process group of its own, and does not wait for it."""
    running: list[subprocess.Popen[str]] = []

    def started(*arguments: str) -> subprocess.Popen[str]:
        running.append(
            subprocess.Popen(
                [sys.executable, "-m", "aether_harness", *arguments],
                cwd=tmp_path,
                env=run_env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                start_new_session=True,
            )
        )
        return running[-1]

    yield started
    for process in running:
        process.kill()
        process.communicate()
