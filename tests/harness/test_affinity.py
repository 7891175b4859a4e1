from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_harness import UsageError
from aether_harness.machine.affinity import CpuAssignment, allowed_cpus, assign_cpus, pin, pin_thread, raise_priority
from aether_harness.worker.client import WorkerClient

CPUS = st.lists(st.integers(0, 255), min_size=1, max_size=16, unique=True)


@given(CPUS)
def test_the_worker_gets_the_last_cpu_and_everything_else_the_others(allowed: list[int]) -> None:
    assigned = assign_cpus(allowed)
    assert assigned.worker_cpus == (max(allowed),)
    if len(allowed) > 1:
        assert set(assigned.companion_cpus) == set(allowed) - {max(allowed)}
        assert assigned.note is None


@given(CPUS, st.data())
def test_of_the_wanted_cpus_the_first_is_the_workers_and_nothing_else_is_on_it(
    allowed: list[int], data: st.DataObject
) -> None:
    wanted = data.draw(st.lists(st.sampled_from(allowed), min_size=1, unique=True))
    assigned = assign_cpus(allowed, wanted)
    assert assigned.worker_cpus == (wanted[0],)
    assert set(assigned.companion_cpus) <= set(allowed)
    if len(allowed) > 1:
        assert wanted[0] not in assigned.companion_cpus
    if len(wanted) > 1:
        assert set(assigned.companion_cpus) == set(wanted[1:])


def test_one_cpu_is_shared_and_that_is_noted() -> None:
    assigned = assign_cpus([3])
    assert assigned.worker_cpus == assigned.companion_cpus == (3,)
    assert assigned.note == "one CPU only: the worker shares CPU 3 with everything it starts"


def test_a_system_that_cannot_pin_is_noted() -> None:
    assigned = assign_cpus(None)
    assert assigned == CpuAssignment(note="not pinned: this system cannot pin a process to a CPU")


@pytest.mark.parametrize(
    ("allowed", "wanted", "words"),
    [
        (None, [0], "cannot pin"),
        ([0, 1], [2], "CPU 2 is not one this process may use (0,1)"),
        ([0, 1], [-1], "CPU -1 is not one"),
        ([0, 1], [1, 1], "names a CPU twice"),
    ],
)
def test_cpus_that_are_not_to_be_had_are_refused(allowed: list[int] | None, wanted: list[int], words: str) -> None:
    with pytest.raises(UsageError, match=r"^--cpus: ") as refused:
        assign_cpus(allowed, wanted)
    assert words in str(refused.value)


def test_pinning_to_nothing_changes_nothing() -> None:
    before = allowed_cpus()
    assert pin(()) is None
    assert allowed_cpus() == before


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs a system that pins")
def test_a_pinned_process_may_use_these_cpus_alone() -> None:
    before = psutil.Process().cpu_affinity()
    try:
        assert pin(before[:1]) is None
        assert allowed_cpus() == before[:1]
    finally:
        psutil.Process().cpu_affinity(before)


@pytest.mark.skipif(len(allowed_cpus() or ()) < 2 or sys.platform != "linux", reason="needs Linux and two CPUs")
def test_a_pinned_thread_takes_what_it_starts_along_and_no_other_thread() -> None:
    before = os.sched_getaffinity(0)
    last = max(before)
    tell = [sys.executable, "-c", "import os; print(*os.sched_getaffinity(0))"]
    with ThreadPoolExecutor(1, initializer=lambda: pin_thread([last])) as pool:
        started = pool.submit(subprocess.run, tell, capture_output=True, text=True, check=True).result()
        assert pool.submit(os.sched_getaffinity, 0).result() == {last}
    assert started.stdout.split() == [str(last)]
    assert os.sched_getaffinity(0) == before


def test_a_thread_pinned_to_what_is_not_there_stays_where_it_is() -> None:
    before = allowed_cpus()
    pin_thread((100_000,))
    pin_thread(())
    assert allowed_cpus() == before


def test_pinning_to_a_cpu_that_is_not_there_is_told_and_not_raised() -> None:
    before = allowed_cpus()
    note = pin((100_000,))
    assert note is not None
    assert note.startswith("not pinned to CPU 100000: ")
    assert allowed_cpus() == before


SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")


def autogroup(pid: int) -> str:
    """Return what Linux tells of the group of a process: nothing, where no session was begun since the system was."""
    with open(f"/proc/{pid}/autogroup", encoding="ascii") as group:
        return group.read()


def autogroup_nice(pid: int) -> int:
    return int(autogroup(pid).split()[-1])


@pytest.mark.usefixtures("may_go_first")
def test_a_worker_goes_before_others_on_its_cpu() -> None:
    with WorkerClient():
        (worker,) = (child for child in psutil.Process().children() if "aether_harness.worker.main" in child.cmdline())
        assert (worker.nice(), autogroup_nice(worker.pid)) == (-20, -20)


@pytest.mark.usefixtures("may_go_first")
def test_who_goes_first_does_not_take_the_others_of_its_session_along() -> None:
    # As a shell starts its commands: in a session that it leads and that goes on after them.
    script = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], check=True); "
        "print(open('/proc/self/autogroup').read().split()[-1])"
    )
    command = "from aether_harness.machine.affinity import raise_priority; raise_priority()"
    shell = [sys.executable, "-c", script, command]
    done = subprocess.run(shell, capture_output=True, text=True, check=True, start_new_session=True)
    assert int(done.stdout) == 0


@pytest.mark.usefixtures("may_go_first")
def test_a_session_goes_first_and_that_of_another_process_is_left_as_it_is() -> None:
    before = autogroup(os.getpid())
    with subprocess.Popen(SLEEP, start_new_session=True) as sleeping:
        try:
            raise_priority(sleeping.pid)
            assert autogroup_nice(sleeping.pid) == -20
        finally:
            sleeping.kill()
    with subprocess.Popen(SLEEP) as sleeping:
        raise_priority(sleeping.pid)
        sleeping.kill()
    assert autogroup(os.getpid()) == before


@pytest.mark.skipif(len(allowed_cpus() or ()) < 2, reason="needs two CPUs")
def test_another_process_can_be_pinned() -> None:
    *_, last = allowed_cpus() or ()
    with subprocess.Popen(SLEEP) as sleeping:
        try:
            assert pin([last], sleeping.pid) is None
            assert allowed_cpus(sleeping.pid) == [last]
        finally:
            sleeping.kill()
