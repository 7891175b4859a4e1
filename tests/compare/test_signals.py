"""Requests to end, sent to a real process."""

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

HEAD = """
import os, signal
from aether_harness.machine.signals import ended_on_request

signal.signal(signal.SIGINT, signal.default_int_handler)
ask = lambda: os.kill(os.getpid(), signal.SIGINT)
"""


def said_by(script: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", HEAD + script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_a_program_that_was_just_started_is_ended() -> None:
    script = """
import signal
import subprocess
from aether_compare.vcs.run import run_command

class Popen(subprocess.Popen):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        started.append(self)
        ask()

started = []
subprocess.Popen = Popen
with ended_on_request():
    try:
        run_command(["sleep", "600"], folder=".", changes={})
    except KeyboardInterrupt:
        print(started[0].returncode)
"""
    assert said_by(script) == [str(-signal.SIGTERM)]


def test_a_folder_that_was_just_made_is_removed(tmp_path: Path) -> None:
    script = f"""
import os, sys
import msgspec
from aether_compare.scheduler import Comparison
from aether_compare.variants import comparison_spec
from aether_compare.progress import NullProgress
from aether_compare.runner import measure, measurement_settings
from aether_compare.settings import Variant, VariantPair
from aether_compare.stats.sequential_test import TestSpec
from aether_harness.discovery.locator import CommandAddress

make = os.mkdir

def mkdir(*arguments):
    make(*arguments)
    ask()

os.environ["TMPDIR"] = {str(tmp_path)!r}
os.mkdir = mkdir
params = msgspec.Raw(b'{{"command":"true"}}')
side = Variant(side="it", python=sys.executable, folder=".", address=CommandAddress("it"), params=params)
match = VariantPair(bench_id="it", metric="duration_ms", unit="ms", sides=(side, side))
with ended_on_request():
    try:
        comparison = Comparison(comparison_spec(match, TestSpec()))
        measure([(comparison, match)], measurement_settings((), 30), seed=1, budget_s=60, watcher=NullProgress())
    except KeyboardInterrupt:
        print(os.listdir({str(tmp_path)!r}))
"""
    assert said_by(script) == ["[]"]
