"""Workers that are forked: real processes, and what becomes of them when others end."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import msgspec
import psutil
import pytest

from aether_harness.affinity import allowed_cpus
from aether_harness.nursery import CAN_FORK, Nursery, NurseryError
from aether_harness.process import Worker, WorkerError
from aether_harness.protocol import Open, Opened, Sample, Taken, Verified, Verify
from aether_harness.target import EntryPointAddress, FileAddress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from aether_harness.target import Address

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="workers are forked on Linux only")

BENCH = """
import os, random, subprocess, sys, threading, time
from aether_harness import bench

print("what a file prints is no answer")
IMPORTED_BY = os.getpid()


@bench
def quick():
    assert os.getpid() != IMPORTED_BY == os.getppid()


@bench
def ends():
    os._exit(7)


@bench
def starts():
    subprocess.Popen(["sleep", "600"], start_new_session=True)


@bench
def hangs():
    time.sleep(600)
"""

THREADS = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"


#: Its import ends once its session does not come last any more.
COMES_LAST = """
import time

ends = time.monotonic() + 60
while int(open("/proc/self/autogroup").read().split()[-1]) > 0:
    assert time.monotonic() < ends
    time.sleep(0.01)
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    place = tmp_path / "benches.py"
    place.write_text(BENCH, encoding="utf-8")
    return str(place)


@pytest.fixture
def nursery_of(tmp_path: Path) -> Iterator[Callable[[Address], Nursery]]:
    with ExitStack() as stack:

        def start(address: Address) -> Nursery:
            nursery = Nursery(sys.executable, address, {"PYTHONHASHSEED": "5"}, str(tmp_path))
            stack.callback(nursery.kill)
            nursery.wait_until_ready(120)
            return nursery

        yield start


def open_in(worker: Worker, path: str, name: str, folder: str, iterations: int | None = 1) -> Opened:
    cpus = tuple(allowed_cpus() or ())
    request = Open(
        address=FileAddress(path, name),
        params=msgspec.Raw(b"{}"),
        folder=folder,
        worker_cpus=cpus,
        companion_cpus=cpus,
        iterations=iterations,
        ruler=False,
    )
    return worker.ask(request, Opened, 30)


PRELOADED = """
import os
from contextlib import contextmanager
from msgspec import Struct


class Params(Struct):
    number: int = 0


class Bench:
    bench_id = name = "ready"
    about = "knows what was looked up, and by whom"
    metric = "duration_ms"
    params_type = Params
    versions = {"thing": "1.0"}
    known = None

    def preload(self, params):
        self.known = (params.number, os.getpid())

    @contextmanager
    def open(self, params, place):
        assert self.known == (7, os.getppid())
        yield self

    def sample(self):
        pass

    def verify(self):
        pass


ready = Bench()
"""


@pytest.mark.usefixtures("may_go_first")
def test_who_is_waited_for_does_not_come_last_any_more(nursery_of: Callable[[Address], Nursery], path: str) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(COMES_LAST)
    assert nursery_of(FileAddress(path, "quick")).cpu_s > 0


def test_what_all_forks_need_is_looked_up_once_by_who_forks_them(tmp_path: Path) -> None:
    path = tmp_path / "benches.py"
    path.write_text(PRELOADED, encoding="utf-8")
    address, params = FileAddress(str(path), "ready"), msgspec.Raw(b'{"number": 7}')
    nursery = Nursery(sys.executable, address, {}, str(tmp_path), params)
    try:
        assert nursery.cpu_s == 0
        nursery.wait_until_ready(120)
        assert nursery.cpu_s > 0
        for iterations, versions in ((None, {"thing": "1.0"}), (1, {})):
            with Worker(nursery=nursery) as worker:
                # Its open() has looked whether it knows.
                assert open_in(worker, str(path), "ready", str(tmp_path), iterations).versions == versions
    finally:
        nursery.kill()


def test_parameters_that_a_bench_does_not_take_are_told_before_anything_is_forked(tmp_path: Path) -> None:
    path = tmp_path / "benches.py"
    path.write_text(PRELOADED, encoding="utf-8")
    params = msgspec.Raw(b'{"number": "many"}')
    nursery = Nursery(sys.executable, FileAddress(str(path), "ready"), {}, str(tmp_path), params)
    try:
        with pytest.raises(NurseryError, match="number"):
            nursery.wait_until_ready(120)
    finally:
        nursery.kill()


def killed(worker: Worker) -> Worker:
    os.kill(worker.pid, signal.SIGKILL)
    return worker


def test_a_fork_is_a_worker_whose_bench_is_imported_already(
    nursery_of: Callable[[Address], Nursery], path: str, tmp_path: Path
) -> None:
    nursery = nursery_of(FileAddress(path, "quick"))
    pids = set()
    for _ in range(3):
        with Worker(nursery=nursery) as worker:
            open_in(worker, path, "quick", str(tmp_path))
            assert worker.ask(Sample(), Taken, 30).value > 0
            worker.ask(Verify(), Verified, 30)
            pids.add(worker.pid)
    assert len(pids) == 3
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_forks_live_beside_one_another(nursery_of: Callable[[Address], Nursery], path: str, tmp_path: Path) -> None:
    nursery = nursery_of(FileAddress(path, "quick"))
    with Worker(nursery=nursery) as one, Worker(nursery=nursery) as other:
        for worker in (one, other):
            open_in(worker, path, "quick", str(tmp_path))
        assert one.ask(Sample(), Taken, 30).value > 0
        assert other.ask(Sample(), Taken, 30).value > 0


def test_a_fork_opens_another_bench_than_was_imported_as_any_worker_does(
    nursery_of: Callable[[Address], Nursery], path: str, tmp_path: Path
) -> None:
    nursery = nursery_of(FileAddress(path, "hangs"))
    other = tmp_path / "other.py"
    other.write_text("from aether_harness import bench\n@bench\ndef plain(): pass\n", encoding="utf-8")
    with Worker(nursery=nursery) as worker:
        open_in(worker, str(other), "plain", str(tmp_path))
        assert worker.ask(Sample(), Taken, 30).value > 0


def test_how_a_fork_ended_is_told_as_of_any_worker(
    nursery_of: Callable[[Address], Nursery], path: str, tmp_path: Path
) -> None:
    nursery = nursery_of(FileAddress(path, "ends"))
    with pytest.raises(WorkerError, match="the worker exited with status 7"), Worker(nursery=nursery) as worker:
        open_in(worker, path, "ends", str(tmp_path))
    with pytest.raises(WorkerError, match="the worker was killed by SIGKILL"), Worker(nursery=nursery) as worker:
        open_in(killed(worker), path, "ends", str(tmp_path))


def test_a_fork_that_hangs_is_ended_when_its_time_is_up(
    nursery_of: Callable[[Address], Nursery], path: str, tmp_path: Path
) -> None:
    nursery = nursery_of(FileAddress(path, "hangs"))
    request = Open(
        address=FileAddress(path, "hangs"),
        params=msgspec.Raw(b"{}"),
        folder=str(tmp_path),
        worker_cpus=(),
        companion_cpus=(),
    )
    with pytest.raises(WorkerError, match=r"no answer within 0\.3 s"), Worker(nursery=nursery) as worker:
        worker.ask(request, Opened, 0.3)
    assert not psutil.pid_exists(worker.pid)


def test_a_fork_takes_along_what_its_bench_has_started(
    nursery_of: Callable[[Address], Nursery],
    path: str,
    tmp_path: Path,
    eventually: Callable[..., object],
    is_running: Callable[[int], bool],
) -> None:
    nursery = nursery_of(FileAddress(path, "starts"))
    with Worker(nursery=nursery) as worker:
        open_in(worker, path, "starts", str(tmp_path))
        left = [child for child in psutil.Process(worker.pid).children() if child.name() == "sleep"]
        assert left
    assert eventually(lambda: not any(is_running(child.pid) for child in left))


def test_forks_end_with_the_process_that_forked_them(
    nursery_of: Callable[[Address], Nursery],
    path: str,
    eventually: Callable[..., object],
    is_running: Callable[[int], bool],
) -> None:
    nursery = nursery_of(FileAddress(path, "quick"))
    worker = Worker(nursery=nursery)
    try:
        worker.__enter__()
        nursery.kill()
        assert eventually(lambda: not is_running(worker.pid))
        with pytest.raises(WorkerError, match="the worker was killed by SIGKILL"):
            worker.ask(Sample(), Taken, 30)
        with pytest.raises(WorkerError, match="the worker cannot be started: it has ended"):
            Worker(nursery=nursery)
    finally:
        worker.kill()


def test_what_an_import_starts_in_another_session_ends_with_it(
    nursery_of: Callable[[Address], Nursery], path: str, tmp_path: Path, eventually: Callable[..., object]
) -> None:
    noted = tmp_path / "pid"
    with open(path, "a", encoding="utf-8") as file:
        file.write("child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n")
        file.write(f"open({str(noted)!r}, 'w').write(str(child.pid))\n")
    nursery = nursery_of(FileAddress(path, "quick"))
    nursery.kill()
    assert eventually(lambda: not psutil.pid_exists(int(noted.read_text(encoding="utf-8"))))


def test_what_cannot_be_imported_is_told(nursery_of: Callable[[Address], Nursery]) -> None:
    with pytest.raises(NurseryError, match="nowhere: no_such_module:bench cannot be imported"):
        nursery_of(EntryPointAddress("nowhere", "no_such_module:bench"))


def test_what_starts_threads_when_it_is_imported_is_not_forked(
    nursery_of: Callable[[Address], Nursery], tmp_path: Path
) -> None:
    place = tmp_path / "threads.py"
    place.write_text(THREADS + BENCH, encoding="utf-8")
    with pytest.raises(NurseryError, match="importing it starts threads"):
        nursery_of(FileAddress(str(place), "quick"))


@pytest.mark.parametrize("script", ["exit 3", "echo hello"])
def test_an_environment_that_cannot_fork_is_told(tmp_path: Path, script: str) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    python.chmod(0o755)
    nursery = Nursery(str(python), EntryPointAddress("any"), {}, str(tmp_path))
    try:
        with pytest.raises(NurseryError, match="it has ended"):
            nursery.wait_until_ready(120)
    finally:
        nursery.kill()


def test_an_interpreter_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NurseryError, match="cannot be started: No such file"):
        Nursery(str(tmp_path / "nowhere"), EntryPointAddress("any"), {}, str(tmp_path))
