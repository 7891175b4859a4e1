from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Return a function that waits until a condition holds, and returns what it then is."""

    def eventually(condition: Callable[[], Any], limit_s: float = 30.0) -> Any:
        deadline = time.monotonic() + limit_s
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
