"""Workers that have imported the streaming bench ahead: their server is a fork of them."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import psutil
import pytest

from aether_harness.discovery.locator import EntryPointAddress
from aether_harness.machine.affinity import allowed_cpus
from aether_harness.worker.client import WorkerClient, WorkerError, worker_command
from aether_harness.worker.protocol import Open, Opened, Preload, SampleTaken, TakeSample, Verified, Verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="servers are forked on Linux only")
STREAM = EntryPointAddress("streaming", "aether_stream_bench.bench:streaming")
PARAMS = msgspec.Raw(b'{"payload": 100000, "one_cpu": true}')


def preloaded() -> WorkerClient:
    return WorkerClient(worker_command(sys.executable, Preload(address=STREAM, params=PARAMS)))


def open_in(worker: WorkerClient, folder: Path) -> psutil.Process:
    """Have `worker` open the bench, and return its server."""
    cpus = tuple(allowed_cpus() or ())
    request = Open(
        address=STREAM,
        params=PARAMS,
        folder=str(folder),
        worker_cpus=cpus[:1],
        companion_cpus=cpus[:1],
        iterations=None,
        time_reference=False,
    )
    worker.request(request, Opened, 30)
    (server,) = (child for child in psutil.Process(worker.pid).children() if child.name() != "sh")
    return server


def test_the_server_of_a_preloaded_worker_is_a_fork_that_ends_with_it(tmp_path: Path) -> None:
    servers = []
    for _ in range(2):
        with preloaded() as worker:
            server = open_in(worker, tmp_path)
            servers.append(server.pid)
            assert server.cmdline() == psutil.Process(worker.pid).cmdline()
            assert worker.request(TakeSample(), SampleTaken, 30).value > 0
            worker.request(Verify(), Verified, 30)
        assert not server.is_running()
    assert len(set(servers)) == 2


def test_a_worker_that_is_killed_leaves_no_server(
    tmp_path: Path,
    eventually: Callable[[Callable[[], Any]], Any],
    is_running: Callable[[int], bool],
) -> None:
    ended = []
    with suppress(WorkerError), preloaded() as worker:
        server = open_in(worker, tmp_path)
        assert is_running(server.pid)
        os.kill(worker.pid, signal.SIGKILL)
        eventually(lambda: not is_running(server.pid))
        ended.append(server.pid)
    assert len(ended) == 1
