"""Requests to end that come while a command imports its modules, or while the interpreter shuts down."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")

#: Asks the interpreter to end when it looks for a module, or when it shuts down.
ASKS = """
import atexit, os, signal, sys

def ask():
    os.kill(os.getpid(), signal.{name})

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "{moment}":
            ask()

sys.meta_path.insert(0, Finder())
if "{moment}" == "the end":
    atexit.register(ask)
"""


HARNESS = ("aether-bench: ", "-m", "aether_harness", "list")
STREAM = ("aether-stream-bench: ", "-m", "aether_stream_bench", "serve", "--time", "0")
GUARD = ("aether-guard: error: ", "-m", "aether_guard", "schema")


@pytest.mark.parametrize(
    ("command", "name", "moment"),
    [
        (HARNESS, "SIGINT", "aether_harness.cli.app"),
        (HARNESS, "SIGTERM", "psutil"),
        (HARNESS, "SIGHUP", "the end"),
        (HARNESS, "SIGINT", "the end"),
        (STREAM, "SIGTERM", "aether_stream_bench.cli"),
        (STREAM, "SIGINT", "anyio"),
        (STREAM, "SIGINT", "the end"),
        (GUARD, "SIGINT", "aether_guard.cli.app"),
        (GUARD, "SIGINT", "msgspec"),
        (GUARD, "SIGINT", "the end"),
    ],
)
def test_a_request_at_the_start_or_the_end_is_one_line(
    tmp_path: Path, command: tuple[str, ...], name: str, moment: str
) -> None:
    number = signal.Signals[name]
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("whoever started the tests has them pass this signal over, and so does what they start")
    (tmp_path / "sitecustomize.py").write_text(ASKS.format(name=name, moment=moment), encoding="utf-8")
    said, *arguments = command
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    word = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "hung up"}[name]
    assert (done.returncode, done.stderr.splitlines()[-1]) == (128 + number, said + word)
    assert "Traceback" not in done.stderr
