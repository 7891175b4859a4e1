from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request

import anyio
import anyio.to_thread
import pytest

from aether_stream_bench.server import FaultConfig, mock_server

SERVE = [sys.executable, "-m", "aether_stream_bench.cli", "serve"]


def put(url: str, size: int) -> bytes:
    """Return the answer to an upload."""
    request = urllib.request.Request(url, data=bytes(size), method="PUT")  # noqa: S310 - to the loopback
    with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310 - likewise
        content: bytes = answer.read()
    return content


def test_the_server_says_where_it_is_serves_and_tells_at_the_end_what_it_did() -> None:
    with subprocess.Popen([*SERVE, "--latency-ms", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().decode().strip()
        assert put(url, 1000) == b'{"bytes":1000}'
        process.send_signal(signal.SIGTERM if os.name == "posix" else signal.SIGBREAK)
        assert process.wait(30) == 130
        assert process.stderr.read() == b"1 connections, 1 uploads, 1000 bytes taken in, 0 requests refused\n"


def test_it_stops_by_itself_when_its_time_is_up() -> None:
    finished = subprocess.run([*SERVE, "--time", "0.1"], capture_output=True, check=False, timeout=60)
    assert finished.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--bandwidth", "fast"], "--bandwidth=fast: expected `int`"),
        (["--connections", "0"], "--connections=0: expected `int` >= 1"),
        (["--port", "70000"], "--port 70000: takes 0 to 65535"),
    ],
)
def test_an_option_that_makes_no_sense_is_one_line_and_status_2(arguments: list[str], words: str) -> None:
    finished = subprocess.run([*SERVE, *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert finished.returncode == 2
    assert words in finished.stderr
    assert len(finished.stderr.splitlines()) == 1


def test_a_port_that_is_taken_is_one_line_and_status_1() -> None:
    with subprocess.Popen(SERVE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip().rpartition(":")[2]
        finished = subprocess.run([*SERVE, "--port", port], capture_output=True, text=True, check=False, timeout=60)
        process.terminate()
    assert finished.returncode == 1
    assert finished.stderr.startswith(f"aether-stream-bench: --port {port}: ")


def test_the_help_fits_a_terminal() -> None:
    environment = {**os.environ, "COLUMNS": "80"}
    shown = subprocess.run([*SERVE, "-h"], capture_output=True, text=True, check=True, timeout=60, env=environment)
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert "--fail-every" in shown.stdout


def test_a_test_of_ones_own_has_the_server_in_its_event_loop() -> None:
    async def upload() -> tuple[bytes, int]:
        async with mock_server(conditions=FaultConfig(latency_ms=1)) as server:
            answer = await anyio.to_thread.run_sync(put, server.url, 12345)
            return answer, server.statistics().receipted

    assert anyio.run(upload) == (b'{"bytes":12345}', 12345)
