from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from aether_harness.schedule import LinuxSchedule, PortableSchedule, Scheduled, scheduled_of, total

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STATUS = b"Name:\tx\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t34\n"
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


def test_the_files_tell_switches_cpu_time_and_delay() -> None:
    assert scheduled_of(b"56 78 9\n", STATUS) == Scheduled(34, 56, 78)


def test_without_a_schedule_the_switches_are_told_all_the_same() -> None:
    assert scheduled_of(b"", STATUS) == Scheduled(34, None, None)


@pytest.mark.parametrize(("schedule", "status"), [(b"1 2 3\n", b"Name:\tx\n"), (b"1 2\n", STATUS), (b"a b c", STATUS)])
def test_files_that_say_something_else_are_refused(schedule: bytes, status: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        scheduled_of(schedule, status)


def test_the_total_is_unknown_where_a_part_is() -> None:
    assert total([Scheduled(1, 2, 3), Scheduled(10, 20, 30)]) == Scheduled(11, 22, 33)
    assert total([Scheduled(1, 2, 3), Scheduled(10, None, 30)]) == Scheduled(11, None, 33)
    assert total([Scheduled(1, 2, 3)]) == Scheduled(1, 2, 3)


@linux
def test_what_a_process_does_between_two_readings_is_seen(echo: subprocess.Popen[bytes]) -> None:
    with ExitStack() as opened:
        schedule = LinuxSchedule(echo.pid, opened)
        before = schedule.read()
        ask(echo)
        after = schedule.read()
    assert before.cpu_ns is not None
    assert after.cpu_ns is not None
    assert after.cpu_ns > before.cpu_ns > 0


@linux
def test_the_switches_are_those_that_the_system_counts(
    echo: subprocess.Popen[bytes], eventually: Callable[..., Any]
) -> None:
    with ExitStack() as opened:
        schedule, process = LinuxSchedule(echo.pid, opened), psutil.Process(echo.pid)
        for _ in range(50):
            ask(echo)
            eventually(lambda: process.status() == psutil.STATUS_SLEEPING)
            assert schedule.read().involuntary == process.num_ctx_switches().involuntary


def schedules(pid: int, opened: ExitStack) -> list[LinuxSchedule | PortableSchedule]:
    """Return a reader of each kind that works on this system."""
    return [PortableSchedule(pid), *([LinuxSchedule(pid, opened)] if sys.platform == "linux" else [])]


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
        LinuxSchedule(echo.pid, opened)
        assert len(os.listdir("/proc/self/fd")) == before + 2
    assert len(os.listdir("/proc/self/fd")) == before
