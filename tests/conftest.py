from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT_S = 120.0
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
        while True:
            # Looked once more afterwards: what is waited for stood still as well when a machine did.
            is_late = time.monotonic() >= deadline
            if result := condition():
                return result
            assert not is_late, "waited for in vain"
            time.sleep(0.02)

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
