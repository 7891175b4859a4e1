"""The mock server as a process, servers that misbehave, and runs of the streaming bench."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
import pytest

from aether_stream_bench.server_process import running_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from aether_stream_bench.wire import Greeting

LIMIT_S = 120.0


@pytest.fixture(scope="module")
def server() -> Iterator[Greeting]:
    """Yield the greeting of a running mock server."""
    with running_server(()) as greeting:
        yield greeting


@pytest.fixture
def connect(server: Greeting) -> Iterator[Callable[[], socket.socket]]:
    """Yield a function that opens a connection to the mock server."""
    opened: list[socket.socket] = []

    def connect() -> socket.socket:
        opened.append(socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT_S))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture
def answer_to(connect: Callable[[], socket.socket]) -> Callable[[bytes], bytes]:
    """Return a function that sends bytes on a new connection and returns all that comes until it is closed."""

    def answer_to(sent: bytes) -> bytes:
        connection = connect()
        connection.sendall(sent)
        received = b""
        while more := connection.recv(65536):
            received += more
        return received

    return answer_to


@pytest.fixture
def scripted_server() -> Iterator[Callable[[Callable[[socket.socket], object]], int]]:
    """Yield a function that serves one connection by a script, and returns the port."""
    threads: list[threading.Thread] = []

    def scripted_server(script: Callable[[socket.socket], object], *, receive_buffer: int | None = None) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(LIMIT_S)
        if receive_buffer is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)

        def serve() -> None:
            with listener:
                connection, _ = listener.accept()
            with connection:
                connection.settimeout(LIMIT_S)
                script(connection)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        port: int = listener.getsockname()[1]
        return port

    yield scripted_server
    for thread in threads:
        thread.join()


@pytest.fixture
def answering() -> Callable[[bytes], Callable[[socket.socket], None]]:
    """Return a function that makes a script: take a whole chunked upload in, answer these bytes, hang up."""

    def answering(answer: bytes) -> Callable[[socket.socket], None]:
        def script(connection: socket.socket) -> None:
            received = b""
            while not received.endswith(b"\r\n0\r\n\r\n"):
                received += connection.recv(65536)
            connection.sendall(answer)

        return script

    return answering


@pytest.fixture
def close_hard() -> Callable[[socket.socket], None]:
    """Return a function that closes a connection by a reset."""

    def close_hard(connection: socket.socket) -> None:
        linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.close()

    return close_hard


@pytest.fixture
def bench_command(tmp_path: Path) -> Callable[..., list[str]]:
    """Return a function that gives the command of a small, quiet run of the bench, which writes to `out`."""

    def bench_command(*arguments: str, samples: int = 2) -> list[str]:
        command = [sys.executable, "-m", "aether_harness", "run", "streaming", "--out", str(tmp_path / "out")]
        return [*command, "--quiet", "--rounds", "1", "--samples", str(samples), "--warmups", "0", *arguments]

    return bench_command


@pytest.fixture
def bench_env(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a run, whose folder for scratch marks all its processes."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return {**os.environ, "TMPDIR": str(scratch)}


@pytest.fixture
def bench(
    tmp_path: Path, bench_command: Callable[..., list[str]], bench_env: dict[str, str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the bench."""

    def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = bench_command(*arguments)
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path, env=bench_env
        )

    return bench


@pytest.fixture
def run_processes(
    bench_env: dict[str, str], alive_in: Callable[[str], list[psutil.Process]]
) -> Callable[[], dict[int, list[str]]]:
    """Return a function that gives the command line of every process of the run, by its id."""

    def run_processes() -> dict[int, list[str]]:
        found = {}
        for process in alive_in(bench_env["TMPDIR"]):
            with suppress(psutil.Error):
                found[process.pid] = process.cmdline()
        return found

    return run_processes
