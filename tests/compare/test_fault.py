"""Whatever goes wrong is a line that names whose it is, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from aether_compare.settings import MeasurementSettings, Variant, VariantPair
from aether_compare.workers.pair_sampler import PairSampler
from aether_guard.errors import GuardError
from aether_harness.discovery.locator import CommandAddress
from aether_harness.machine.affinity import CpuAssignment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import psutil

    Ab = Callable[..., subprocess.CompletedProcess[str]]
    Processes = Callable[[], list[psutil.Process]]

ALIKE = ("--exec-a", "sleep 0.02", "--exec-b", "sleep 0.02", "--gate", "0", "--alpha", "1e-12", "--max-time", "600")
SLOWER = ("--exec-a", "sleep 0.01", "--exec-b", "sleep 0.03", "--max-time", "120")
BENCH_ALIKE = ("benches.py::pace", "-A", "ms=2", "-B", "ms=2", "--gate", "0", "--alpha", "1e-12", "--max-time", "600")
BENCH_SLOWER = ("benches.py::pace", "-A", "ms=2", "-B", "ms=4", "--max-time", "120")
#: The guard, and a worker of each side, or what forks it.
WITH_WORKERS = 3
TASKSET = shutil.which("taskset") or ""
posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and files")


#: Of a tail lives are longer: so that there is a midway.
MIDWAY = ("--quantile", "p95", "--max-time", "60")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("raise", "sample: ZeroDivisionError: division by zero (benches.py:"),
        ("crash", "sample: the worker was killed by SIGKILL"),
        ("hang", "sample: no answer within 10 s"),
        ("print", "verification: sample() printed to the standard output"),
        ("mutter", "tear-down: sample() printed to the standard output"),
        ("fork", "sample: sample() forked this process"),
        ("exit", "sample: SystemExit: 4"),
        ("end", "sample: the worker exited with status 4"),
        ("zero", "sample: sample(): cost is 0.0, not a positive number"),
    ],
)
@posix_only
def test_a_version_that_fails_midway_is_named(
    ab: Ab, processes: Processes, scratch: Callable[[], list[str]], fault: str, words: str
) -> None:
    limits = (*MIDWAY, "--timeout", "10") if fault == "hang" else MIDWAY
    done = ab("benches.py::pace", "-A", "ms=2", "-B", f"fault={fault}", *limits)
    seed, line = done.stderr.splitlines()
    assert (done.returncode, seed[:5]) == (2, "seed ")
    assert line.startswith(f"aether-guard: error: pace: fault={fault}: {words}")
    assert (processes(), scratch()) == ([], [])


def test_a_throughput_without_bytes_is_named(ab: Ab) -> None:
    done = ab("benches.py::rate", "-A", "fault=nothing", "-B", "kb=10", *MIDWAY)
    assert done.returncode == 2
    assert "rate: fault=nothing: sample: sample() did not return the bytes it moved" in done.stderr


def test_one_bench_that_fails_leaves_the_verdict_on_the_other(ab: Ab) -> None:
    done = ab("benches.py", "-B", "pace.fault=raise", "-B", "rate.kb=40", "--alpha", "0.05", *MIDWAY)
    assert done.returncode == 2
    assert "\nrate " in done.stdout
    assert "improvement: rate: kb=40 against default" in done.stdout


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("no-such-tool", "no-such-tool: no-such-tool: set-up: no-such-tool: no such file"),
        ("false", "false: set-up: false: exit status 1"),
        ("sleep 600", "sleep 600: set-up: no answer within 10 s"),
    ],
)
@posix_only
def test_a_command_that_fails_is_named(
    ab: Ab, processes: Processes, scratch: Callable[[], list[str]], command: str, words: str
) -> None:
    limits = ("--timeout", "10") if "600" in command else ()
    done = ab("--exec-a", "true", "--exec-b", command, "--max-time", "120", *limits, "-q")
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    assert words.removeprefix("no-such-tool: ") in line
    assert (processes(), scratch()) == ([], [])


def test_a_file_with_a_syntax_error_is_named_with_its_line(ab: Ab, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("x = 1\n) (\n", encoding="utf-8")
    done = ab("broken.py", "-A", "x=1", "-B", "x=2")
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    assert "broken.py:2: SyntaxError: unmatched ')'" in line


@pytest.mark.parametrize(
    ("text", "how"),
    [("import time\ntime.sleep(600)", "no answer within 1 s"), ("import os\nos._exit(7)", "exited with status 7")],
)
def test_a_file_whose_import_ends_or_hangs_is_named(
    ab: Ab, processes: Processes, tmp_path: Path, text: str, how: str
) -> None:
    (tmp_path / "odd.py").write_text(text, encoding="utf-8")
    done = ab("odd.py", "-A", "x=1", "-B", "x=2", "--timeout", "1")
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert line.startswith("aether-guard: error: odd.py: cannot be imported: ")
    assert line.endswith(how)
    assert processes() == []


@posix_only
@pytest.mark.parametrize(
    ("name", "asked"),
    [("SIGINT", ALIKE), ("SIGTERM", ALIKE), ("SIGHUP", BENCH_ALIKE), ("SIGINT", BENCH_ALIKE)],
)
def test_an_interruption_keeps_the_pairs_and_leaves_nothing_running(  # noqa: PLR0913, PLR0917 - fixtures
    started: Callable[..., subprocess.Popen[str]],
    ab: Ab,
    processes: Processes,
    scratch: Callable[[], list[str]],
    eventually: Callable[..., Any],
    name: str,
    asked: tuple[str, ...],
) -> None:
    number = signal.Signals[name]
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("whoever started the tests has them pass this signal over, and so does what they start")
    running = started(*asked, "--save", "pairs.jsonl")
    eventually(lambda: len(processes()) >= WITH_WORKERS)
    running.send_signal(number)
    stdout, stderr = running.communicate()
    assert (running.returncode, stdout) == (2, "")
    assert "aether-guard: error: interrupted after " in stderr.splitlines()[-1]
    assert len(stderr.splitlines()) == 2
    assert (processes(), scratch()) == ([], [])
    assert ab("--replay", "pairs.jsonl").returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a worker ends at its next request")
@pytest.mark.parametrize("asked", [ALIKE, BENCH_ALIKE])
def test_a_guard_that_is_killed_takes_its_workers_with_it_and_the_next_one_its_folder(  # noqa: PLR0913, PLR0917 - fixtures
    started: Callable[..., subprocess.Popen[str]],
    ab: Ab,
    processes: Processes,
    scratch: Callable[[], list[str]],
    eventually: Callable[..., Any],
    asked: tuple[str, ...],
) -> None:
    running = started(*asked)
    eventually(lambda: len(processes()) >= WITH_WORKERS)
    running.kill()
    running.communicate()
    assert eventually(lambda: not processes())
    assert scratch() != []
    assert ab("--exec-a", "true", "--exec-b", "true", "--max-time", "1").returncode == 0
    assert scratch() == []


@posix_only
@pytest.mark.parametrize("option", ["--save", "-o"])
def test_what_cannot_be_written_is_found_out_before_the_measuring(ab: Ab, tmp_path: Path, option: str) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for path in ("/dev/full", str(tmp_path), "file/report"):
        done = ab(*ALIKE, option, path)
        (line,) = done.stderr.splitlines()
        assert (done.returncode, done.stdout) == (2, "")
        assert line.startswith(f"aether-guard: error: {path}: cannot be written: ")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_under_the_output_is_told_in_a_line(ab: Ab, processes: Processes) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = ab(*SLOWER, "-q", stdout=full.fileno())
    assert (done.returncode, processes()) == (2, [])
    assert done.stderr == "aether-guard: error: the output cannot be written: no space left on device\n"


@posix_only
def test_a_closed_output_is_told_before_the_measuring(tmp_path: Path, ab_env: dict[str, str]) -> None:
    command = ["sh", "-c", 'exec "$@" >&-', "-", sys.executable, "-m", "aether_guard", "ab", *ALIKE]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **ab_env}, stderr=subprocess.PIPE, encoding="utf-8", check=False
    )
    assert (done.returncode, done.stderr) == (2, "aether-guard: error: the standard output is closed\n")


@pytest.mark.skipif(not TASKSET, reason="needs taskset")
@pytest.mark.parametrize("asked", [SLOWER, BENCH_SLOWER])
def test_one_cpu_is_enough(
    tmp_path: Path, ab_env: dict[str, str], processes: Processes, asked: tuple[str, ...]
) -> None:
    cpu = str(max(os.sched_getaffinity(0)))
    done = subprocess.run(
        [TASKSET, "-c", cpu, sys.executable, "-m", "aether_guard", "ab", *asked],
        cwd=tmp_path,
        env={**os.environ, **ab_env},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, processes()) == (1, [])
    assert f"one CPU only: the worker shares CPU {cpu}" in done.stderr


@posix_only
@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("""echo '{"type":"Hello","protocol":99,"pid":1}'; cat""", "the worker speaks version 99 of the protocol"),
        ("echo hello; cat", "the worker answered nonsense: b'hello"),
        ("echo out of order >&2; exit 3", "the worker exited with status 3: out of order"),
    ],
)
def test_a_worker_of_another_kind_is_named_with_its_side(tmp_path: Path, script: str, words: str) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    python.chmod(0o755)
    address, params = CommandAddress("thing"), msgspec.Raw(b'{"command":"true"}')
    sides = [
        Variant(side=name, python=interpreter, folder=str(tmp_path), address=address, params=params)
        for name, interpreter in (("old", sys.executable), ("new", str(python)))
    ]
    terms = MeasurementSettings(assignment=CpuAssignment(), timeout_s=20)
    match = VariantPair(bench_id="thing", metric="duration_ms", unit="ms", sides=(sides[0], sides[1]))
    with (
        PairSampler(match, terms, Random(1)) as sampler,
        pytest.raises(GuardError, match=f"^thing: new: start: {words}"),
        sampler.open_block(),
    ):
        pass


def test_an_interpreter_that_is_not_there_is_named_with_its_side(tmp_path: Path) -> None:
    address, params = CommandAddress("thing"), msgspec.Raw(b'{"command":"true"}')
    sides = [
        Variant(side=name, python=interpreter, folder=str(tmp_path), address=address, params=params)
        for name, interpreter in (("old", sys.executable), ("new", str(tmp_path / "nowhere")))
    ]
    terms = MeasurementSettings(assignment=CpuAssignment(), timeout_s=20)
    match = VariantPair(bench_id="thing", metric="duration_ms", unit="ms", sides=(sides[0], sides[1]))
    with (
        PairSampler(match, terms, Random(1)) as sampler,
        pytest.raises(GuardError, match=r"^thing: new: start: the worker cannot be started: No such file"),
        sampler.open_block(),
    ):
        pass
