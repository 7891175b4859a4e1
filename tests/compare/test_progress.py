from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    Ab = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
CLEAR = "\r\x1b[K"
SLEEPS = ("--exec-a", "sleep 0.01", "--exec-b", "sleep 0.03", "--max-time", "120")
ALIKE = ("--exec-a", "sleep 0.01", "--exec-b", "sleep 0.01", "--gate", "0%", "--alpha", "1e-12", "--max-time", "1")


@pytest.fixture
def terminal(ab: Ab) -> Callable[..., tuple[str, str]]:
    """Return a function that runs the command with a terminal as its error stream, and gives both streams."""
    import fcntl
    import struct
    import termios

    def terminal(*arguments: str, columns: int, term: str = "xterm") -> tuple[str, str]:
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        # Meanwhile, for it holds a few pages only.
        with ThreadPoolExecutor(1) as reading:
            said = reading.submit(all_of, ours)
            try:
                done = ab(*arguments, stderr=theirs, env={"TERM": term})
            finally:
                os.close(theirs)
        os.close(ours)
        return done.stdout, said.result().decode()

    return terminal


def all_of(terminal: int) -> bytes:
    """Read what comes from a terminal until nobody is at its other end, which Linux says by an error."""
    said = b""
    with suppress(OSError):
        while piece := os.read(terminal, 65536):
            said += piece
    return said


def screen_of(said: str) -> list[str]:
    """Return the lines that stand on the terminal in the end."""
    return [line.rpartition(CLEAR)[2].rstrip("\r") for line in said.split("\n")]


@pytest.mark.parametrize("columns", [80, 40])
def test_the_progress_stays_in_its_line_and_nothing_of_it_is_left(
    terminal: Callable[..., tuple[str, str]], columns: int
) -> None:
    _, said = terminal(*SLEEPS, columns=columns)
    rewritten = [piece.partition("\n")[0] for piece in said.split(CLEAR)[1:]]
    progress = [piece for piece in rewritten if "%" in piece]
    assert progress
    assert max(map(len, progress)) <= columns - 1
    assert re.fullmatch(r"sleep: 1 pair, .*", progress[0])
    seed, verdict, rest = screen_of(said)
    assert re.fullmatch(r"seed \d+; .*", seed)
    assert re.fullmatch(r"sleep: regression after \d+ pairs in [\d.]+ s", verdict)
    assert rest == ""


def test_nothing_of_the_progress_is_left_where_the_time_ended(terminal: Callable[..., tuple[str, str]]) -> None:
    _, said = terminal(*ALIKE, columns=80)
    assert "sleep: " in said
    assert screen_of(said)[1:] == [""]


def test_a_terminal_that_does_not_say_how_wide_it_is_is_taken_for_a_usual_one(
    terminal: Callable[..., tuple[str, str]],
) -> None:
    _, said = terminal(*ALIKE, columns=0)
    assert f"{CLEAR}sleep: 1 pair, " in said


def test_a_terminal_that_cannot_go_back_gets_a_line_a_verdict(terminal: Callable[..., tuple[str, str]]) -> None:
    _, said = terminal(*SLEEPS, columns=80, term="dumb")
    assert "\x1b" not in said
    assert len(said.splitlines()) == 2


def test_a_log_gets_a_line_a_verdict(ab: Ab) -> None:
    done = ab(*SLEEPS)
    seed, verdict = done.stderr.splitlines()
    assert seed.startswith("seed ")
    assert verdict.startswith("sleep: regression after ")


def test_quiet_says_nothing_beside_the_report(ab: Ab, terminal: Callable[..., tuple[str, str]]) -> None:
    assert ab(*SLEEPS, "--quiet").stderr == ""
    stdout, said = terminal(*SLEEPS, "-q", columns=80)
    assert said == ""
    assert stdout.startswith("bench ")
