"""Two revisions of a real repository, by the command: verdicts, faults, and nothing left of either."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from aether_harness.worker.layout import can_fix_layouts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import psutil

    Ab = Callable[..., subprocess.CompletedProcess[str]]
    JsonOf = Callable[[str], dict[str, Any]]
    Processes = Callable[[], list[psutil.Process]]
    Scratch = Callable[[], list[str]]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and files")

SOON = ("--alpha", "0.05", "--max-time", "120")
#: Puts on a side's path the tree's own harness, if it has one, and then what runs this test.
SETUP = """
import os, sys, sysconfig
from pathlib import Path

assert not Path("broken").exists(), "it does not build"
lines = [str(Path("harness").resolve())] * Path("harness").exists() + sys.argv[1:]
Path(sysconfig.get_path("purelib"), "side.pth").write_text("\\n".join(lines))
"""
BENCHES = """
import os, time
from aether_harness import bench

FAULT = {fault!r}
count = 0


@bench
def paced():
    global count
    count += 1
    time.sleep({ms} / 1000)
    if count > 3:
        {{"": int, "crash": lambda: os.kill(os.getpid(), 9), "hang": lambda: time.sleep(600), "print": print}}[FAULT]()
"""
HARNESS = "from aether_harness import bench\n"
SLEEPS = "import time\ndef work():\n    time.sleep({ms} / 1000)\n"
OTHER = "@bench\ndef other():\n    time.sleep(0.002)\n"
OTHER_PROTOCOL = """
import json, sys
from aether_harness.worker.protocol import Hello, encode_message
sys.stdout.buffer.write(encode_message(Hello(protocol=99, pid=1)) + b"\\n")
sys.stdout.flush()
sys.stdin.read()
"""


@pytest.fixture
def versions(project: Any, ab_env: dict[str, str], tmp_path: Path) -> Any:
    """Return a repository with a file of benches, `quick` as the base of what is to come."""
    ab_env["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    paths = [path for path in sys.path if path and os.path.isdir(path)]
    setup = shlex.join(["{python}", "install.py", *paths])
    project.write("aether.toml", f"[ab]\nsetup = {setup!r}\n")
    project.git("rm", "-rq", "src/aether_harness")
    project.write("install.py", SETUP)
    project.write("benches.py", BENCHES.format(ms=2, fault=""))
    project.commit(3)
    project.git("branch", "quick")
    return project


@pytest.fixture
def ab_of(ab: Ab, versions: Any, processes: Processes, scratch: Scratch) -> Ab:
    """Return a function that runs the command in the repository and holds that it leaves nothing behind."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        before = versions.state()
        done = ab(*arguments, cwd=versions.root)
        assert (versions.state(), processes(), scratch()) == (before, [], [])
        return done

    return run


def test_a_dirty_tree_is_held_against_a_revision(versions: Any, ab_of: Ab, json_of: JsonOf) -> None:
    versions.write("benches.py", BENCHES.format(ms=4, fault=""))
    versions.write("new.txt", "of no commit")
    done = ab_of("benches.py::paced", "--base", "quick", "--format", "json", *SOON)
    report = json_of(done.stdout)
    assert (done.returncode, report["verdict"], report["new"]) == (1, "regression", "working tree")
    assert report["old"] == f"quick ({versions.git('rev-parse', '--short=7', 'quick')})"


def test_a_library_that_became_three_times_slower_is_found_with_a_warm_cache(
    versions: Any, ab: Ab, json_of: JsonOf
) -> None:
    versions.git("checkout", "--quiet", "-b", "base")
    versions.depend_on("lib", *(path for path in sys.path if path and os.path.isdir(path)))
    versions.write("aether.toml", "")
    versions.write("benches.py", f"import lib\n{HARNESS}@bench\ndef called():\n    lib.work()\n")
    versions.write("lib/src/lib.py", SLEEPS.format(ms=2))
    versions.commit(4)
    same = ab("benches.py", "--base", "base", "--format", "json", *SOON, cwd=versions.root)
    versions.write("lib/src/lib.py", SLEEPS.format(ms=6))
    slower = ab("benches.py", "--base", "base", "--format", "json", *SOON, cwd=versions.root)
    assert (json_of(same.stdout)["verdict"], json_of(slower.stdout)["verdict"]) == ("pass", "regression")
    assert "working tree: ready, set up before" in slower.stderr


SHOWS_PLACES = """
import ctypes, os
from aether_harness import bench

def opened():
    # Where libraries, objects, a module's code and the stack lie.
    local = ctypes.c_int()
    places = [id(None), id([]), id(opened), id(opened.__code__), ctypes.addressof(local), hash("text")]
    with open({log!r}, "a") as log:
        log.write(f"{{places}}\\n")
    yield

@bench(setup=opened)
def placed():
    sum(range(20_000))
"""


@pytest.mark.skipif(not can_fix_layouts(), reason="layouts cannot be fixed here")
def test_in_two_environments_the_same_things_lie_in_the_same_places(versions: Any, ab: Ab, tmp_path: Path) -> None:
    versions.write("benches.py", SHOWS_PLACES.format(log=str(tmp_path / "places")))
    versions.commit(5)
    versions.write("new.txt", "of no commit")
    done = ab("benches.py", "--base", "HEAD", "--gate", "0", "--max-time", "5", cwd=versions.root)
    assert done.returncode == 0, done.stderr
    places = (tmp_path / "places").read_text().splitlines()
    blocks = list(zip(places[::2], places[1::2], strict=True))
    assert len(set(places)) > len(blocks) / 2
    # A collector or a thread may have moved one in a while.
    assert sum(old == new for old, new in blocks) > 0.9 * len(blocks)


def test_the_pairs_of_two_revisions_are_decided_again_to_the_digit(versions: Any, ab_of: Ab, tmp_path: Path) -> None:
    versions.write("benches.py", BENCHES.format(ms=4, fault=""))
    pairs = str(tmp_path / "pairs.jsonl")
    measured = ab_of("benches.py", "--base", "quick", "--format", "json", "--save", pairs, *SOON)
    replayed = ab_of("--replay", pairs, "--format", "json")
    assert (replayed.stdout, replayed.returncode) == (measured.stdout, measured.returncode)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("crash", "sample: the worker was killed by SIGKILL"),
        ("hang", "sample: no answer within 10 s"),
        ("print", "verification: sample() printed to the standard output"),
    ],
)
def test_a_revision_that_fails_midway_is_named(versions: Any, ab_of: Ab, fault: str, words: str) -> None:
    versions.git("checkout", "--quiet", "-b", "failing", "quick")
    versions.write("benches.py", BENCHES.format(ms=2, fault=fault))
    versions.commit(4)
    tail = ("--quantile", "p95", *(("--timeout", "10") if fault == "hang" else ()))  # whose lives are longer
    done = ab_of("benches.py::paced", "--base", "quick", "--head", "failing", "-q", *tail)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    short = versions.git("rev-parse", "--short=7", "failing")
    assert line.startswith(f"aether-guard: error: paced: failing ({short}): {words}")


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("broken", "", "base (…): cannot be set up: AssertionError: it does not build"),
        ("benches.py", "import nothing_like_that\n", "ModuleNotFoundError: No module named 'nothing_like_that'"),
        ("benches.py", "from aether_harness import bench\n" + OTHER, "base (…): benches.py::paced: no bench paced"),
        (
            "harness/aether_harness/worker/main.py",
            OTHER_PROTOCOL,
            "paced: base (…): start: the worker speaks version 99 of the protocol, not 2",
        ),
    ],
)
def test_a_base_that_cannot_be_measured_is_named(versions: Any, ab_of: Ab, path: str, text: str, words: str) -> None:
    head = BENCHES.format(ms=2, fault="") + OTHER
    versions.git("checkout", "--quiet", "-b", "base", "quick")
    if path.startswith("harness"):
        # Another harness, but for what differs.
        (package,) = (find_spec("aether_harness") or pytest.fail("it is not there")).submodule_search_locations or ()
        place = versions.root / "harness/aether_harness"
        place.parent.mkdir()
        shutil.copytree(package, place, ignore=shutil.ignore_patterns("__pycache__"))
    versions.write(path, text)
    versions.commit(5)
    versions.git("checkout", "--quiet", "main")
    versions.write("benches.py", head)
    done = ab_of("benches.py::paced", "--base", "base", "-q")
    (line,) = done.stderr.splitlines()
    assert (done.returncode, line[:21]) == (2, "aether-guard: error: ")
    assert words.replace("…", versions.git("rev-parse", "--short=7", "base")) in line


@pytest.mark.parametrize(
    ("text", "how"), [("time.sleep(600)", "no answer within 5 s"), ("os._exit(7)", "the process exited with status 7")]
)
def test_a_revision_whose_file_ends_or_hangs_its_import_is_named(versions: Any, ab_of: Ab, text: str, how: str) -> None:
    versions.write("benches.py", f"import os, time\n{text}\n")
    done = ab_of("benches.py", "--base", "quick", "-q", "--timeout", "5")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"aether-guard: error: working tree: benches.py: cannot be imported: {how}\n"


@pytest.mark.parametrize("moment", ["checking out", "setting up", "seed "])
def test_however_often_it_is_interrupted_all_is_put_in_order(  # noqa: PLR0913, PLR0917 - fixtures
    versions: Any, ab_env: dict[str, str], processes: Processes, scratch: Scratch, tmp_path: Path, moment: str
) -> None:
    before = versions.state()
    running = subprocess.Popen(
        [sys.executable, "-m", "aether_guard", "ab", "benches.py", "--base", "quick", "--alpha", "1e-12"],
        cwd=versions.root,
        env={**os.environ, **ab_env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert running.stderr is not None
    assert any(moment in line for line in running.stderr)
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
        running.send_signal(number)
    stdout, stderr = running.communicate()
    assert (running.returncode, stdout) == (2, "")
    assert stderr.splitlines()[-1].startswith("aether-guard: error: interrupted after ")
    assert "Traceback" not in stderr
    assert (versions.state(), processes(), scratch()) == (before, [], [])
    assert not list((tmp_path / "cache").glob("aether-guard/ab/*/tree"))


def test_what_is_to_outlive_its_terminal_does(versions: Any, ab_env: dict[str, str]) -> None:
    command = [sys.executable, "-m", "aether_guard", "ab", "benches.py", "--base", "quick", "--max-time", "2"]
    with subprocess.Popen(
        ["nohup", *command],  # noqa: S607 - the one on the PATH
        cwd=versions.root,
        env={**os.environ, **ab_env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as running:
        assert running.stderr is not None
        assert any("seed " in line for line in running.stderr)
        running.send_signal(signal.SIGHUP)
        running.communicate()
    assert running.returncode == 0
