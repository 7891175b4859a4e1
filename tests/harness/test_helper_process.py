from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from aether_harness import BenchError
from aether_harness.machine.affinity import allowed_cpus
from aether_harness.machine.helper_process import helper_process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of the module `beside`, which a companion can be started from."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "beside.py"


def companions() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "beside" in child.cmdline()]


def test_a_companion_greets_and_ends_when_it_is_left(module: Path) -> None:
    module.write_text("import sys\nprint(sys.argv[1:], flush=True)\nsys.stdin.read()\n", encoding="utf-8")
    with helper_process("beside", "one", "two") as greeting:
        assert greeting.decode().strip() == "['one', 'two']"
        assert len(companions()) == 1
    assert companions() == []


@pytest.mark.skipif(len(allowed_cpus() or ()) < 2, reason="needs two CPUs")
def test_a_companion_comes_up_on_its_own_cpus(module: Path) -> None:
    *_, last = allowed_cpus() or ()
    module.write_text("import sys\nprint(1, flush=True)\nsys.stdin.read()\n", encoding="utf-8")
    with helper_process("beside", cpus=[last]):
        assert [allowed_cpus(each.pid) for each in companions()] == [[last]]


def test_while_a_companion_comes_up_something_else_is_done(module: Path, eventually: Callable[..., Any]) -> None:
    module.write_text("import sys\nsys.stdin.readline()\n", encoding="utf-8")
    seen: list[int] = []

    def while_starting() -> None:
        # One that has just been started does not say so yet.
        seen.append(len(eventually(companions)))
        raise InterruptedError

    with pytest.raises(InterruptedError), helper_process("beside", while_starting=while_starting):
        pass
    assert seen == [1]
    assert companions() == []


def test_a_companion_ends_when_what_uses_it_raises(module: Path) -> None:
    module.write_text("import sys\nprint(1, flush=True)\nsys.stdin.read()\n", encoding="utf-8")
    with pytest.raises(InterruptedError), helper_process("beside"):
        raise InterruptedError
    assert companions() == []


def test_a_companion_that_does_not_greet_is_told_by_its_status(module: Path) -> None:
    module.write_text("raise SystemExit(3)\n", encoding="utf-8")
    with pytest.raises(BenchError, match="beside did not start: status 3"), helper_process("beside"):
        pass
    assert companions() == []


FORKING = """
import os, sys, threading, time
from aether_harness import BenchError
from aether_harness.machine.helper_process import helper_process

WITH_THREAD = threading.Thread(target=time.sleep, args=(600,), daemon=True)


def main(arguments):
    *descriptors, _ = sorted(os.listdir("/proc/self/fd"))  # the last is that of the listing
    print(os.getpid(), os.getppid(), *arguments, *descriptors, flush=True)
    sys.stdin.buffer.read()


def fails(arguments):
    raise SystemExit(3)


def raises(arguments):
    raise RuntimeError("in the fork")


def fork(main, *arguments):
    return helper_process("nothing_of_this_name", *arguments, main=main, name="it")


kept = os.open(os.devnull, os.O_RDONLY)
"""
TELLS = (
    FORKING
    + """
with fork(main, "one", "two") as greeting:
    pid, parent, *told = greeting.decode().split()
    print(parent == str(os.getpid()), *told)
print(os.path.exists(f"/proc/{pid}"))
for failing in (fails, raises, main):
    if failing is main:
        WITH_THREAD.start()
    try:
        with fork(failing):
            pass
    except BenchError as error:
        print(error)
"""
)
STAYS = (
    FORKING
    + """
with fork(main) as greeting:
    print(greeting.decode().split()[0], flush=True)
    time.sleep(600)
"""
)
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="companions are forked on Linux only")


@on_linux
def test_a_forked_companion_has_nothing_else_open() -> None:
    command = [sys.executable, "-c", TELLS]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [
        "True one two 0 1 2",
        "False",
        "it did not start: status 3",
        "it did not start: status 1",
        "it did not start: status 1",  # with a thread it is started from nothing, by its name
    ]
    assert "RuntimeError: in the fork" in done.stderr
    assert "No module named nothing_of_this_name" in done.stderr
    assert done.returncode == 0


@on_linux
def test_a_forked_companion_ends_with_whoever_started_it(
    eventually: Callable[[Callable[[], Any]], Any], is_running: Callable[[int], bool]
) -> None:
    with subprocess.Popen([sys.executable, "-c", STAYS], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_running(child)
        parent.kill()
    eventually(lambda: not is_running(child))
