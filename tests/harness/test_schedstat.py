from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from aether_harness.machine.schedstat import ProcReader, PsutilReader, SchedStats, open_reader, parse_schedstat, total

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@pytest.fixture
def echo() -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process that sends back each line."""
    program = "import sys\nfor line in sys.stdin.buffer:\n    sum(range(100_000)); sys.stdout.buffer.write(line)\n"
    program = program.replace("write(line)", "write(line); sys.stdout.buffer.flush()")
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        ask(process)
        yield process


def ask(process: subprocess.Popen[bytes]) -> None:
    """Have the process do something, and wait until it has."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"x\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"x\n"


def test_the_file_tells_cpu_time_and_delay() -> None:
    assert parse_schedstat(b"56 78 9\n") == SchedStats(0, 56, 78)


@pytest.mark.parametrize("schedule", [b"", b"1 2\n", b"a b c"])
def test_a_file_that_says_something_else_is_refused(schedule: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_schedstat(schedule)


def test_the_total_is_unknown_where_a_part_is() -> None:
    assert total([SchedStats(1, 2, 3), SchedStats(10, 20, 30)]) == SchedStats(11, 22, 33)
    assert total([SchedStats(1, 2, 3), SchedStats(10, None, 30)]) == SchedStats(11, None, 33)
    assert total([SchedStats(1, 2, 3)]) == SchedStats(1, 2, 3)


@linux
def test_what_a_process_does_between_two_readings_is_seen(
    echo: subprocess.Popen[bytes], eventually: Callable[..., Any]
) -> None:
    def cpu_ns() -> int:
        ask(echo)
        return schedule.read().cpu_ns or 0

    with ExitStack() as opened:
        schedule = ProcReader(echo.pid, opened)
        before = cpu_ns()
        assert before > 0
        # Of one that still runs, the system counts up to its last tick.
        assert eventually(lambda: cpu_ns() > before)


@linux
def test_the_delay_of_a_process_whose_cpu_is_taken_grows(
    echo: subprocess.Popen[bytes], eventually: Callable[..., Any]
) -> None:
    def has_grown() -> bool:
        for _ in range(50):
            ask(echo)
        return (schedule.read().run_delay_ns or 0) > delay_ns

    cpu = psutil.Process(echo.pid).cpu_affinity()[-1:]
    hog = [sys.executable, "-c", "while True: pass"]
    with ExitStack() as opened, subprocess.Popen(hog, start_new_session=True) as taker:
        try:
            for pid in (echo.pid, taker.pid):
                psutil.Process(pid).cpu_affinity(cpu)
            schedule = open_reader(echo.pid, opened)
            delay_ns = schedule.read().run_delay_ns
            assert delay_ns is not None
            # A scheduler may give the CPU at once to whoever has waited, and then there is no delay to be seen.
            assert eventually(has_grown)
        finally:
            taker.kill()


def test_a_process_that_is_not_there_is_told_nothing_of() -> None:
    with ExitStack() as opened:
        assert open_reader(2**22 + 1, opened).read() == SchedStats()


def test_a_system_that_tells_no_delay_tells_the_switches(
    echo: subprocess.Popen[bytes], eventually: Callable[..., Any]
) -> None:
    schedule, process = PsutilReader(echo.pid), psutil.Process(echo.pid)
    ask(echo)
    eventually(lambda: process.status() == psutil.STATUS_SLEEPING)
    assert schedule.read().involuntary == process.num_ctx_switches().involuntary


def schedules(pid: int, opened: ExitStack) -> list[ProcReader | PsutilReader]:
    """Return a reader of each kind that works on this system."""
    return [PsutilReader(pid), *([ProcReader(pid, opened)] if sys.platform == "linux" else [])]


def test_of_a_process_that_has_ended_the_last_reading_stands(echo: subprocess.Popen[bytes]) -> None:
    with ExitStack() as opened:
        readers = schedules(echo.pid, opened)
        last = [reader.read() for reader in readers]
        echo.kill()
        echo.communicate()
        assert [reader.read() for reader in readers] == last


@linux
def test_the_files_are_closed_with_what_they_were_opened_in(echo: subprocess.Popen[bytes]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with ExitStack() as opened:
        ProcReader(echo.pid, opened)
        assert len(os.listdir("/proc/self/fd")) == before + 1
    assert len(os.listdir("/proc/self/fd")) == before
