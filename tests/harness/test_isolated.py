"""Benches are imported by another process, by the command: whatever an import does is one line."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]
    BenchFile = Callable[..., str]
    Processes = Callable[[], list[int]]

EMPTY = "@bench\ndef mine():\n    pass\n"
PLUGIN = """
[aether.benches]
broken = broken:bench
"""
HANGS = "import time; time.sleep(600)"
EXITS = "import os; os._exit(7)"
STARTS_A_SESSION = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)"


@pytest.fixture
def plugin(tmp_path: Path, run_env: dict[str, str]) -> Callable[[str], None]:
    """Return a function that installs a plugin whose module runs a text."""

    def plugin(text: str) -> None:
        info = tmp_path / "site" / "broken-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(PLUGIN, encoding="utf-8")
        (tmp_path / "site" / "broken.py").write_text(text, encoding="utf-8")
        run_env["PYTHONPATH"] = str(tmp_path / "site")

    return plugin


@pytest.mark.parametrize("command", ["run", "noise"])
@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("time.sleep(600)", "no answer within 1 s"),
        ("os._exit(7)", "the process exited with status 7"),
        ("os._exit(0)", "the process exited with status 0"),
        ("print('no luck', file=sys.stderr, flush=True); os._exit(7)", "the process exited with status 7: no luck"),
        pytest.param(
            "os.kill(os.getpid(), signal.SIGKILL)",
            "the process was killed by SIGKILL",
            marks=pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals"),
        ),
        (f"{STARTS_A_SESSION}; time.sleep(600)", "no answer within 1 s"),
    ],
)
def test_a_file_whose_import_ends_or_hangs_is_named(  # noqa: PLR0913, PLR0917 - fixtures
    aether_bench: Run,
    bench_file: BenchFile,
    run_processes: Processes,
    tmp_path: Path,
    command: str,
    text: str,
    how: str,
) -> None:
    bench_file(EMPTY, "good.py")
    done = aether_bench(command, "good.py", bench_file(text), "--timeout", "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"aether-bench: mine.py: cannot be imported: {how}\n"
    assert run_processes() == []
    assert not (tmp_path / "target").exists()


def test_a_forked_child_of_an_import_does_not_answer_too(run: Run, bench_file: BenchFile) -> None:
    done = run(bench_file(f"if os.fork() == 0: time.sleep(0.2)\n{EMPTY}"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_file_is_not_imported_by_the_command_itself(run: Run, bench_file: BenchFile, tmp_path: Path) -> None:
    done = run(bench_file(f"note('parent', os.getppid())\nnote('pid', os.getpid())\n{EMPTY}"))
    assert (done.returncode, done.stderr) == (0, "")
    parents = set((tmp_path / "notes" / "parent").read_text(encoding="utf-8").split())
    assert len(parents) == 1
    assert not parents & set((tmp_path / "notes" / "pid").read_text(encoding="utf-8").split())


@pytest.mark.parametrize(
    ("text", "how"), [(HANGS, "no answer within 5 s"), (EXITS, "the process exited with status 7")]
)
def test_a_plugin_whose_import_ends_or_hangs_leaves_the_others(
    aether_bench: Run, plugin: Callable[[str], None], run_processes: Processes, text: str, how: str
) -> None:
    plugin(text)
    listed = aether_bench("list", "--timeout", "5")
    assert (listed.returncode, listed.stderr) == (1, f"aether-bench: broken: cannot be imported: {how}\n")
    assert "  -p sort.count=1000" in listed.stdout.splitlines()
    named = aether_bench("run", "sorting", "--rounds", "1", "--samples", "2", "--timeout", "5", "--out", "out", "-q")
    assert (named.returncode, named.stderr) == (0, "")
    every = aether_bench("run", "--timeout", "5")
    assert (every.returncode, every.stderr) == (2, listed.stderr)
    missing = aether_bench("run", "brokn", "--timeout", "5")
    assert missing.returncode == 2
    assert missing.stderr.startswith("aether-bench: brokn: no such bench; ")
    assert missing.stderr.endswith(f"; broken: cannot be imported: {how}\n")
    assert run_processes() == []


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="needs names that are no text")
def test_a_name_that_is_no_text_is_refused_in_a_line(tmp_path: Path, run_env: dict[str, str]) -> None:
    command = [os.fsencode(sys.executable), b"-m", b"aether_harness", b"run", b"\xff.py"]
    done = subprocess.run(command, cwd=tmp_path, env=run_env, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (2, b"aether-bench: \\udcff.py: not a name in UTF-8\n")
