from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from aether_schema import read_summary
from aether_stream_bench.server_process import running_server

if TYPE_CHECKING:
    from pathlib import Path

FILE = """
from aether_stream_bench.locust import StreamUser

class Small(StreamUser):
    payload_bytes = 100_000
    chunk_bytes = 10_000
    kind = "length"
"""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_a_master_and_two_workers_upload_and_write_one_summary(tmp_path: Path) -> None:
    pytest.importorskip("gevent")
    (tmp_path / "locustfile.py").write_text(FILE, encoding="utf-8")
    environment = {**os.environ, "AETHER_OUT": str(tmp_path / "out"), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "locust", "-f", "locustfile.py"]
    with ExitStack() as stack:
        greeting = stack.enter_context(running_server(()))
        port = free_port()
        master = subprocess.Popen(
            [
                *command,
                *("--master", "--headless", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(port)),
                *("--expect-workers", "2", "--expect-workers-max-wait", "120", "-u", "4", "-r", "10", "-t", "8s"),
                *("--host", f"http://127.0.0.1:{greeting.port}"),
            ],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        stack.callback(master.kill)
        for _ in range(2):
            worker = subprocess.Popen(
                [*command, "--worker", "--master-host", "127.0.0.1", "--master-port", str(port)],
                cwd=tmp_path,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(worker.kill)
        stdout, stderr = master.communicate(timeout=240)
    assert master.returncode == 0, stderr
    summary = read_summary(str(tmp_path / "out" / "bench-stream.json"))
    assert summary.samples is not None
    assert len(summary.samples) == 2
    assert summary.params == {"payload": 100_000, "chunk": 10_000, "seed": 1, "kind": "length", "uploader": "builtin"}
    assert summary.phases is not None
    assert {"send", "first_byte", "response"} <= set(summary.phases)
    assert "streaming[locust]: p50 " in stdout
