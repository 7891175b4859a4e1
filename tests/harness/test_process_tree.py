from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from aether_harness.machine.process_tree import descendants, kill_descendants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAMILY = """
import subprocess, sys, threading
child = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'input()'], stdin=0).wait()"
thread = threading.Thread(target=lambda: subprocess.Popen([sys.executable, "-c", child], stdin=0).wait())
thread.start()
thread.join()
"""


@pytest.fixture
def family() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", FAMILY], stdin=subprocess.PIPE) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def test_children_of_children_are_found_whichever_thread_started_them(
    family: subprocess.Popen[bytes], eventually: Callable[..., object]
) -> None:
    assert eventually(lambda: len(descendants(family.pid)) == 2)
    assert {child.pid for child in descendants(family.pid)} == {
        child.pid for child in psutil.Process(family.pid).children(recursive=True)
    }


def test_they_are_ended_and_whose_they_are_is_not(
    family: subprocess.Popen[bytes], eventually: Callable[..., object], is_running: Callable[[int], bool]
) -> None:
    eventually(lambda: len(descendants(family.pid)) == 2)
    found = descendants(family.pid)
    kill_descendants(family.pid)
    assert eventually(lambda: not any(is_running(child.pid) for child in found))
    assert family.wait() == 0


def test_a_process_that_is_not_there_has_none() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert descendants(gone.pid) == []
    assert os.getpid() not in {child.pid for child in descendants(os.getpid())}
