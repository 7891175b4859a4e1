"""Kill `aether-bench run` and `aether-guard ab` at random moments, and count the leftovers.

`python benchmarks/kill_runs.py` starts the commands with benches that leave processes in other sessions, and sends each
command a signal after a random time. No process of the command may remain. After a request to end, no folder may remain
and the command may print at most one line. After SIGKILL, the next command must remove the folders. The random times
depend on the seed and on the duration of a short command on this machine.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random

import psutil

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
#: Time for a command to end after a signal, and for killed processes to end after the command. Both are generous,
#: because ending takes CPU time, which is scarce on a busy machine.
END_LIMIT_S = 60.0
GONE_LIMIT_S = 20.0
#: Part of the interpreter's message if it is interrupted before it runs the command.
NOT_YET = "init_import_site"
#: The latest moment of the signal by kind of command, in multiples of a short command's duration.
LATEST = {"run": 5.0, "settings": 8.0, "revisions": 20.0, "commands": 6.0}

BENCHES = """
from __future__ import annotations

import os, subprocess, sys, time
from contextlib import contextmanager
from typing import Literal

from msgspec import Struct

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(300)"]
subprocess.Popen(SLEEP, start_new_session=True)


class Params(Struct, frozen=True, kw_only=True):
    what: Literal["session", "group", "daemon"] = "session"


class Session:
    def __init__(self, what):
        self.what = what

    def sample(self):
        time.sleep(0.002)
        if self.what != "daemon":
            group = {"start_new_session": True} if self.what == "session" else {"process_group": 0}
            subprocess.Popen(SLEEP, **group)

    def verify(self):
        pass


class Leaving:
    bench_id = name = "leaving"
    about = "leaves processes behind"
    metric = "duration_ms"
    params_type = Params

    @contextmanager
    def open(self, params, place):
        for number in range(200):
            with open(os.path.join(place.folder, str(number)), "w") as file:
                file.write("x")
        if params.what == "daemon" and os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.execv(sys.executable, SLEEP)
            os._exit(0)
        yield Session(params.what)


leaving = Leaving()
"""
#: Adds this interpreter's path to the path of a revision's environment, slowly.
INSTALL = """
import sys, sysconfig, time
from pathlib import Path

time.sleep(0.3)
Path(sysconfig.get_path("purelib"), "side.pth").write_text("\\n".join(sys.argv[1:]))
"""
BENCH, GUARD = ("-m", "aether_harness"), ("-m", "aether_guard", "ab")
SHORT = (*BENCH, "run", "--exec", "true", "--rounds", "1", "--samples", "1", "--warmups", "0", "-q")
ENDLESS = ("--gate", "0", "--alpha", "1e-12", "--max-time", "600", "-q")
COMMANDS = {
    "run": (
        *BENCH,
        "run",
        "benches.py",
        "-p",
        "leaving.what=session,group,daemon",
        "--rounds",
        "50",
        "--out",
        "out",
        "-q",
    ),
    "settings": (*GUARD, "benches.py", "-A", "what=daemon", "-B", "what=session", *ENDLESS),
    "revisions": (*GUARD, "benches.py", "--base", "HEAD", *ENDLESS),
    "commands": (*GUARD, "--exec-a", "true", "--exec-b", f"{sys.executable} -S -c pass", *ENDLESS),
}


#: Outcomes that only record when a signal came. All others are defects.
HARMLESS = {"sent", "over before", "before the command"}


class Place:
    """A repository with benches, and a scratch folder that identifies all processes of its commands."""

    def __init__(self, root: Path) -> None:
        """Make the repository and the scratch folder in `root`."""
        self.folder, self.scratch = root / "repository", root / "scratch"
        self.folder.mkdir()
        self.scratch.mkdir()
        self.env = {**os.environ, "TMPDIR": str(self.scratch), "XDG_CACHE_HOME": str(root / "cache")}
        setup = shlex.join(["{python}", "install.py", *(path for path in sys.path if os.path.isdir(path))])
        for name, text in (
            ("benches.py", BENCHES),
            ("install.py", INSTALL),
            ("aether.toml", f"[ab]\nsetup = {setup!r}\n"),
        ):
            (self.folder / name).write_text(text, encoding="utf-8")
        for words in ("init -q", "add --all", "-c user.name=A -c user.email=a@example.org commit -q -m one"):
            subprocess.run(["git", *words.split()], cwd=self.folder, check=True)  # noqa: S607 - the one on the PATH

    def start(self, command: tuple[str, ...]) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run_short(self) -> float:
        """Run a short command to completion and return its duration in seconds."""
        started = time.perf_counter()
        with self.start(SHORT) as process:
            _, errors = process.communicate(timeout=END_LIMIT_S)
        assert process.returncode == 0, errors
        return time.perf_counter() - started

    def folders(self) -> list[str]:
        """Return the names of the measurements' scratch folders and lock files."""
        return [path.name for path in self.scratch.glob("aether-*")]

    def processes_left(self) -> list[psutil.Process]:
        """Return the remaining processes of ended commands, after waiting up to GONE_LIMIT_S for them to end."""
        until = time.monotonic() + GONE_LIMIT_S
        while (found := [each for each in psutil.process_iter() if self._is_of(each)]) and time.monotonic() < until:
            time.sleep(0.05)
        return found

    def _is_of(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error, OSError):
            return process.environ().get("TMPDIR") == str(self.scratch) and process.status() != psutil.STATUS_ZOMBIE
        return False

    def worktrees(self) -> int:
        """Return the number of worktrees that git has on record."""
        kept = self.folder / ".git" / "worktrees"
        return len(list(kept.iterdir())) if kept.exists() else 0


def main() -> int:
    """Kill `--runs` and `--abs` commands, print a line per kind and signal, and return 1 if anything was left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=65)
    parser.add_argument("--abs", type=int, default=98)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw = Random(options.seed)  # noqa: S311 - moments, not secrets
    for number in SIGNALS[1:]:
        # Commands would also ignore the signals that this process ignores.
        signal.signal(number, signal.default_int_handler)
    kinds = ["run"] * options.runs + [tuple(LATEST)[1 + number % 3] for number in range(options.abs)]
    counts: Counter[tuple[str, str, str]] = Counter()
    with tempfile.TemporaryDirectory(prefix="aether-kills-") as root:
        place = Place(Path(root))
        short_s = min(place.run_short() for _ in range(3))
        for kind in draw.sample(kinds, len(kinds)):
            number = draw.choice(SIGNALS)
            found = kill(place, COMMANDS[kind], number, draw.uniform(0, LATEST[kind] * short_s))
            for what in ("sent", *found):
                counts[kind, number.name, what] += 1
            if set(found) - HARMLESS:
                print(f"{kind}, {number.name}: {', '.join(found)}", flush=True)
        with place.start((*GUARD, "--exec-a", "true", "--exec-b", "true", "--max-time", "1", "-q")) as process:
            process.communicate()
        with place.start((*COMMANDS["revisions"], "--max-time", "1")) as process:
            process.communicate()
        left = place.worktrees()
    for kind in LATEST:
        for number in SIGNALS:
            said = [f"{count} {what}" for (*key, what), count in counts.items() if key == [kind, number.name]]
            print(f"{kind:10} {number.name:8} {', '.join(said)}")
    defects = sum(count for (*_, what), count in counts.items() if what not in HARMLESS)
    print(f"{len(kinds)} signals, {defects} defects, {left} worktrees left")
    return 1 if defects or left else 0


def kill(place: Place, command: tuple[str, ...], number: signal.Signals, after_s: float) -> list[str]:
    """Start a command, send it a signal after `after_s`, and return the outcomes: HARMLESS or defects."""
    wrong = []
    with place.start(command) as process:
        time.sleep(after_s)
        if process.poll() is not None:
            wrong.append("over before")
        process.send_signal(number)
        try:
            _, errors = process.communicate(timeout=END_LIMIT_S)
        except subprocess.TimeoutExpired:
            wrong.append("went on")
            process.kill()
            _, errors = process.communicate()
    if processes := place.processes_left():
        wrong.append("left a process")
        for each in processes:
            with suppress(psutil.Error):
                print(f"left: {each.pid} {each.status()} {shlex.join(each.cmdline())}")
                each.kill()
    if number == signal.SIGKILL:
        place.run_short()
    if folders := place.folders():
        wrong.append("left a folder")
        print(f"left: {folders}")
    if NOT_YET in errors:
        wrong.append("before the command")
    elif "Traceback" in errors or len(errors.splitlines()) > 1:
        wrong.append("said more than a line")
        print(errors)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
