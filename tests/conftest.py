from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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
