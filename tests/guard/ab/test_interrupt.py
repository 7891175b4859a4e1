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
import os, signal, threading
from aether_guard.ab.interrupt import ended_on_request, held_back

signal.signal(signal.SIGINT, signal.default_int_handler)
ask = lambda: os.kill(os.getpid(), signal.SIGINT)
"""


def said_by(script: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", HEAD + script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_a_request_waits_until_what_was_begun_is_known() -> None:
    script = """
with ended_on_request():
    try:
        with held_back():
            ask()
            print("begun")
        print("never")
    except KeyboardInterrupt:
        print("asked once")
    ask()
    print("passed over")
"""
    assert said_by(script) == ["begun", "asked once", "passed over"]


def test_nothing_waits_any_more_after_it_and_a_fault_is_told_where_nobody_asked() -> None:
    script = """
with ended_on_request():
    try:
        with held_back():
            raise OSError("no such program")
    except OSError as error:
        print(error)
    try:
        ask()
        print("never")
    except KeyboardInterrupt:
        print("asked")
"""
    assert said_by(script) == ["no such program", "asked"]


def test_another_thread_holds_nothing_back() -> None:
    script = """
inside, leave = threading.Event(), threading.Event()

def begin():
    with held_back():
        inside.set()
        leave.wait()

with ended_on_request():
    thread = threading.Thread(target=begin)
    thread.start()
    inside.wait()
    try:
        ask()
        print("never")
    except KeyboardInterrupt:
        print("asked")
    leave.set()
    thread.join()
"""
    assert said_by(script) == ["asked"]


def test_a_program_that_was_just_started_is_ended() -> None:
    script = """
import signal
import subprocess
from aether_guard.ab import child

class Popen(subprocess.Popen):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        started.append(self)
        ask()

started = []
subprocess.Popen = Popen
with ended_on_request():
    try:
        child.run(["sleep", "600"], folder=".", changes={})
    except KeyboardInterrupt:
        print(started[0].returncode)
"""
    assert said_by(script) == [str(-signal.SIGTERM)]


def test_a_folder_that_was_just_made_is_removed(tmp_path: Path) -> None:
    script = f"""
import os, sys, tempfile
import msgspec
from aether_guard.ab.contest import Contested
from aether_guard.ab.contestant import question_of
from aether_guard.ab.live import Quiet
from aether_guard.ab.measure import measure, plan_terms
from aether_guard.ab.terms import Contestant, Match
from aether_guard.ab.trial import Rule
from aether_harness.target import CommandAddress

class Folder(tempfile.TemporaryDirectory):
    def __init__(self, **options):
        super().__init__(dir={str(tmp_path)!r}, **options)
        ask()

tempfile.TemporaryDirectory = Folder
params = msgspec.Raw(b'{{"command":"true"}}')
side = Contestant(side="it", python=sys.executable, folder=".", address=CommandAddress("it"), params=params)
match = Match(bench_id="it", metric="duration_ms", unit="ms", sides=(side, side))
with ended_on_request():
    try:
        contested = Contested(question_of(match, Rule()))
        measure([(contested, match)], plan_terms((), 30), seed=1, budget_s=60, watcher=Quiet())
    except KeyboardInterrupt:
        print(os.listdir({str(tmp_path)!r}))
"""
    assert said_by(script) == ["[]"]
