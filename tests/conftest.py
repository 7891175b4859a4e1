from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from hypothesis import HealthCheck, settings

from aether_schema import Reference, Summary, quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from aether_guard.check.verdict import Judgement

LIMIT_S = 120.0
MOMENT_S = 0.5
# How long an example takes says something about the machine, nothing about the code. Where the tests are a gate, it is
# the change that opens it, not the examples that happen to be drawn: those are the same each time.
settings.register_profile(
    "aether",
    deadline=None,
    max_examples=200,
    database=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("aether")


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Return a function that waits until a condition holds, and returns what it then is."""

    def eventually(condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + LIMIT_S
        while not (result := condition()):
            assert time.monotonic() < deadline, "waited for in vain"
            time.sleep(0.02)
        return result

    return eventually


@pytest.fixture
def is_running() -> Callable[[int], bool]:
    """Return a function that says whether a process runs, and is not just waiting to be buried."""

    def is_running(pid: int) -> bool:
        try:
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    return is_running


@pytest.fixture(scope="session")
def alive_in() -> Callable[[str | Path], list[psutil.Process]]:
    """Return a function that gives the processes whose folder for scratch is this one.

    Those that were killed may not have had their turn to end: there is a moment for that.
    """

    def alive_in(scratch: str | Path) -> list[psutil.Process]:
        until = time.monotonic() + MOMENT_S
        while found := [process for process in psutil.process_iter() if _is_in(process, str(scratch))]:
            if time.monotonic() > until:
                break
            time.sleep(0.02)
        return found

    return alive_in


def _is_in(process: psutil.Process, scratch: str) -> bool:
    try:
        return process.environ().get("TMPDIR") == scratch and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


@pytest.fixture(scope="session")
def end_all_in(alive_in: Callable[[str | Path], list[psutil.Process]]) -> Callable[[str | Path], None]:
    """Return a function that kills what is left of processes whose folder for scratch is this one."""

    def end_all_in(scratch: str | Path) -> None:
        for process in alive_in(scratch):
            with suppress(psutil.Error):
                process.kill()

    return end_all_in


@pytest.fixture(scope="session")
def may_go_first() -> None:
    """Skip where no session may go before others, or the system does not group processes by session."""
    script = "import os, sys; open('/proc/self/autogroup', 'w').write('-20')"
    done = subprocess.run([sys.executable, "-c", script], start_new_session=True, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("needs a privilege, and a system that groups processes by session")


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


def rounds_of(rounds: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(values) for values in rounds)


@pytest.fixture(scope="session")
def sampled() -> Callable[..., Summary]:
    """Build a summary from its samples, with a ruler beside each and a second kernel's value a round if given."""

    def build(
        rounds: Sequence[Sequence[float]],
        *,
        rulers: Sequence[Sequence[float]] | None = None,
        crossing: Sequence[float] | None = None,
        throughput: bool = False,
        kernel: str = "archive-1",
        **changes: Any,
    ) -> Summary:
        flat = [value for values in rounds for value in values]
        kept = {"p50": quantile(flat, 0.5), "p95": quantile(flat, 0.95), "n": len(flat), "samples": rounds_of(rounds)}
        if rulers is not None:
            kept["reference"] = Reference(kernel=kernel, unit="ms", samples=rounds_of(rulers))
        if crossing is not None:
            crossed = rounds_of([[value] for value in crossing])
            kept["cross_reference"] = Reference(kernel="deflate-1", unit="ms", samples=crossed)
        return Summary(**fields_of(throughput=throughput, changes={**kept, **changes}))

    return build


@pytest.fixture(scope="session")
def simulated(sampled: Callable[..., Summary]) -> Callable[..., Summary]:
    """Simulate a run: processes that differ, samples that differ within them, on a machine of some slowness.

    `cost` is what the code costs, 1 for unchanged. The ruler and the second kernel see the machine alone:
    `slowness`, round by round how it `wanders`, and sample by sample its `drift`; `crossed` is the slowness
    that the second kernel sees.
    """

    def build(  # noqa: PLR0913 - each is a knob of the simulation
        draw: Random,
        *,
        rounds: int = 5,
        samples: int = 12,
        cost: float = 1.0,
        slowness: float = 1.0,
        crossed: float | None = None,
        between: float = 0.02,
        within: float = 0.05,
        drift: float = 0.0,
        wanders: float = 0.0,
        throughput: bool = False,
        ruler: bool = True,
        **changes: Any,
    ) -> Summary:
        values: list[list[float]] = []
        rulers: list[list[float]] = []
        speeds: list[float] = []
        for _ in range(rounds):
            luck = draw.gauss(0, between)
            speed = slowness * math.exp(draw.gauss(0, wanders)) if wanders else slowness
            speeds.append(speed if crossed is None else crossed)
            paces = [speed * math.exp(draw.gauss(0, drift)) for _ in range(samples)]
            times = [10 * cost * pace * math.exp(luck + draw.gauss(0, within)) for pace in paces]
            values.append([1000 / time for time in times] if throughput else times)
            rulers.append([0.4 * pace * math.exp(draw.gauss(0, 0.005)) for pace in paces])
        crossing = [0.3 * speed * math.exp(draw.gauss(0, 0.005)) for speed in speeds]
        evidence = {"rulers": rulers, "crossing": crossing} if ruler else {}
        return sampled(values, throughput=throughput, **evidence, **changes)

    return build


@pytest.fixture(scope="session")
def recorded() -> Callable[[str], list[Summary]]:
    """Read the recorded runs of a name, which lie beside the repository, or skip where there are none."""

    def read(name: str) -> list[Summary]:
        path = Path(__file__).parents[2] / "shared" / "noise" / f"{name}.jsonl"
        if not path.exists():
            pytest.skip(f"{path} is not there")
        from aether_guard.check.recordings import read_recording

        return read_recording(str(path))

    return read


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
            "change_decisive": changes.get("change", 0.25),
            "reason": "p95 25.0 % worse, gate 20 %",
            "baseline_path": "baseline.json",
            "current_path": "current.json",
            "gate": 0.2,
        }
        from aether_guard.check.verdict import Judgement

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
