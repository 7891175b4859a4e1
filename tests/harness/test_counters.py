from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from aether_harness.machine.affinity import allowed_cpus
from aether_harness.machine.counters import CounterReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CPUS = tuple(allowed_cpus() or ())
needs_two_cpus = pytest.mark.skipif(len(CPUS) < 2, reason="needs two CPUs to choose from")


@pytest.fixture
def sleeping_on() -> Iterator[Callable[..., int]]:
    """Yield a function that starts a process which sleeps on some CPUs, and returns its id."""
    running = []

    def sleeping_on(*cpus: int) -> int:
        running.append(subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE))
        psutil.Process(running[-1].pid).cpu_affinity(list(cpus))
        return running[-1].pid

    yield sleeping_on
    for process in running:
        process.communicate()


@needs_two_cpus
def test_a_companion_on_the_same_cpu_shares_it(sleeping_on: Callable[..., int]) -> None:
    first, second = CPUS[:2]
    same, other, either = sleeping_on(first), sleeping_on(second), sleeping_on(first, second)
    for companions, shared in (((same,), True), ((other,), False), ((either,), False), ((other, same), True)):
        with CounterReader(companions, (first,)) as witness:
            assert witness.shared_cpu is shared
    with CounterReader((either,), (second, first)) as witness:
        assert witness.shared_cpu


def test_nothing_is_shared_without_companions_or_without_pinning() -> None:
    with CounterReader((), CPUS) as witness:
        assert not witness.shared_cpu
        assert witness.companions is None
    with CounterReader((os.getpid(),), ()) as witness:
        assert not witness.shared_cpu
        assert witness.steal is None


def test_the_threads_own_time_goes_on_while_it_works() -> None:
    with CounterReader() as witness:
        before = witness.counters()
        sum(range(1_000_000))
        after = witness.counters()
    assert after.cpu_ns > before.cpu_ns
    assert after.involuntary >= before.involuntary
    assert after.voluntary >= before.voluntary


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_leaving_it_closes_all_it_has_opened() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with CounterReader((os.getpid(), os.getppid()), CPUS[:1]):
        assert len(os.listdir("/proc/self/fd")) == before + 4
    assert len(os.listdir("/proc/self/fd")) == before


def wait_for_the_disk(folder: Path) -> None:
    with open(folder / "written", "wb") as file:
        file.write(bytes(100_000))
        os.fsync(file.fileno())


def wait_for_a_socket(_: Path) -> None:
    near, far = socket.socketpair()
    with near, far:
        near.settimeout(0.002)
        with pytest.raises(TimeoutError):
            near.recv(1)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("wait", [wait_for_the_disk, wait_for_a_socket])
def test_a_wait_that_ends_while_another_has_the_cpu_is_seen_as_a_delay(
    tmp_path: Path, eventually: Callable[..., Any], wait: Callable[[Path], None]
) -> None:
    def waits_delayed_ns() -> int:
        before = witness.own_schedule().run_delay_ns
        for _ in range(20):
            wait(tmp_path)
            sum(range(200_000))
        after = witness.own_schedule().run_delay_ns
        assert before is not None
        assert after is not None
        return after - before

    allowed = psutil.Process().cpu_affinity()
    hog = [sys.executable, "-c", "while True: pass"]
    with CounterReader() as witness, subprocess.Popen(hog, start_new_session=True) as taker:
        try:
            for process in (psutil.Process(), psutil.Process(taker.pid)):
                process.cpu_affinity(allowed[:1])
            # A scheduler may give the CPU at once to whoever has waited, and then there is no delay to be seen.
            assert eventually(waits_delayed_ns)
        finally:
            taker.kill()
            psutil.Process().cpu_affinity(allowed)
