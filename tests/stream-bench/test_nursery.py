"""Uploads of forked workers: what they have been spared, and what they share."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import psutil
import pytest

from aether_harness.affinity import allowed_cpus
from aether_harness.nursery import CAN_FORK, Nursery
from aether_harness.process import Worker, WorkerError
from aether_harness.protocol import Open, Opened, Sample, Taken, Verified, Verify
from aether_harness.target import EntryPointAddress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="workers are forked on Linux only")
STREAM = EntryPointAddress("streaming", "aether_stream_bench.bench:streaming")
PARAMS = msgspec.Raw(b'{"payload": 100000, "one_cpu": true}')


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    nursery = Nursery(sys.executable, STREAM, {}, str(tmp_path), PARAMS)
    try:
        nursery.wait_until_ready(120)
        yield nursery
    finally:
        nursery.kill()


def open_in(worker: Worker, folder: Path) -> psutil.Process:
    """Have `worker` open the bench, and return its server."""
    cpus = tuple(allowed_cpus() or ())
    request = Open(
        address=STREAM,
        params=PARAMS,
        folder=str(folder),
        worker_cpus=cpus[:1],
        companion_cpus=cpus[:1],
        iterations=None,
        ruler=False,
    )
    worker.ask(request, Opened, 30)
    (server,) = (child for child in psutil.Process(worker.pid).children() if child.name() != "sh")
    return server


def test_the_server_of_a_forked_worker_is_a_fork_too_that_ends_with_it(nursery: Nursery, tmp_path: Path) -> None:
    servers = []
    for _ in range(2):
        with Worker(nursery=nursery) as worker:
            server = open_in(worker, tmp_path)
            servers.append(server.pid)
            assert server.cmdline() == psutil.Process(worker.pid).cmdline()
            assert worker.ask(Sample(), Taken, 30).value > 0
            worker.ask(Verify(), Verified, 30)
        assert not server.is_running()
    assert len(set(servers)) == 2


def test_a_worker_that_is_killed_leaves_no_server(
    nursery: Nursery,
    tmp_path: Path,
    eventually: Callable[[Callable[[], Any]], Any],
    is_running: Callable[[int], bool],
) -> None:
    ended = []
    with suppress(WorkerError), Worker(nursery=nursery) as worker:
        server = open_in(worker, tmp_path)
        assert is_running(server.pid)
        os.kill(worker.pid, signal.SIGKILL)
        eventually(lambda: not is_running(server.pid))
        ended.append(server.pid)
    assert len(ended) == 1
