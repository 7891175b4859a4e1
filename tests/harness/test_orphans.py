"""Processes in sessions of their own, which a command's end leaves no more than others."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    Started = Callable[..., subprocess.Popen[str]]
    Run = Callable[..., subprocess.CompletedProcess[str]]
    BenchFile = Callable[..., str]
    Noted = Callable[[str], list[str]]
    Processes = Callable[[], list[int]]
    Eventually = Callable[..., Any]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes do not tell whose they are")

SLEEPS = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)"
#: Starts another one like itself and ends, a thousand times per second.
HOPS = """
def hop():
    os.setsid()
    while os.fork() == 0:
        time.sleep(0.001)
    os._exit(0)
"""
DAEMON = """
def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(600)
        os._exit(0)
"""
BENCH = "@bench\ndef mine():\n    note('sample')\n    {0}\n    time.sleep(0.005)\n"
ENDLESS = ("--rounds", "1", "--samples", "1000000", "--warmups", "0", "--out", "out", "--quiet")


@pytest.mark.parametrize(
    "text",
    [
        BENCH.format(SLEEPS),
        BENCH.format(f"{SLEEPS}; os._exit(3)"),
        BENCH.format(f"{SLEEPS}; os.kill(os.getpid(), signal.SIGKILL)"),
        DAEMON + BENCH.format("daemon()"),
        HOPS + BENCH.format("os.fork() or hop()"),
        f"{SLEEPS}\n{BENCH.format('pass')}",
        f"{SLEEPS}\nos._exit(3)",
    ],
)
def test_a_run_leaves_nothing_in_another_session(
    run: Run, bench_file: BenchFile, run_processes: Processes, text: str
) -> None:
    run(bench_file(text))
    assert run_processes() == []


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGHUP", "SIGINT"])
def test_a_run_that_is_ended_leaves_nothing_in_another_session(  # noqa: PLR0913, PLR0917 - fixtures
    started: Started,
    bench_file: BenchFile,
    noted: Noted,
    eventually: Eventually,
    run_processes: Processes,
    name: str,
) -> None:
    number = signal.Signals[name]
    if name != "SIGKILL" and signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("whoever started the tests has them pass this signal over, and so does what they start")
    running = started("run", bench_file(f"{SLEEPS}\n{BENCH.format(SLEEPS)}"), *ENDLESS)
    eventually(lambda: len(noted("sample")) > 3)
    running.send_signal(number)
    running.communicate()
    assert eventually(lambda: not run_processes())


def test_a_run_that_is_killed_during_an_import_leaves_nothing(
    started: Started, bench_file: BenchFile, noted: Noted, eventually: Eventually, run_processes: Processes
) -> None:
    running = started("run", bench_file(f"{SLEEPS}\nnote('import')\ntime.sleep(600)\n"), *ENDLESS)
    eventually(lambda: noted("import"))
    running.kill()
    running.communicate()
    assert eventually(lambda: not run_processes())


def test_a_run_leaves_the_processes_of_another_run(
    started: Started, run: Run, bench_file: BenchFile, noted: Noted, eventually: Eventually
) -> None:
    running = started("run", bench_file(BENCH.format("pass")), *ENDLESS)
    eventually(lambda: len(noted("sample")) > 3)
    assert run(bench_file(BENCH.format(SLEEPS).replace("mine", "other"), "other.py")).returncode == 0
    before = len(noted("sample"))
    eventually(lambda: len(noted("sample")) > before)
    assert running.poll() is None
