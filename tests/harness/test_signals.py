"""Requests to end, sent to a real process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")

HEAD = """
import os, signal, threading
from aether_harness.machine.signals import ended_on_request, held_back

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


def test_one_body_within_another_holds_a_request_back_until_the_outer_is_over() -> None:
    script = """
with ended_on_request():
    try:
        with held_back():
            with held_back():
                ask()
            print("inner is over")
        print("never")
    except KeyboardInterrupt:
        print("asked")
"""
    assert said_by(script) == ["inner is over", "asked"]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_request_says_by_which_signal_it_came(name: str) -> None:
    if signal.getsignal(getattr(signal, name)) == signal.SIG_IGN:
        pytest.skip(f"started without {name}")
    script = f"""
from aether_harness.machine.signals import Interrupted
try:
    with ended_on_request():
        os.kill(os.getpid(), signal.{name})
        print("never")
except Interrupted as request:
    print(signal.Signals(request.number).name)
"""
    assert said_by(script) == [name]
