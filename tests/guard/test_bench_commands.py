from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Guard = Callable[..., subprocess.CompletedProcess[str]]
    Write = Callable[..., str]

GITHUB = ".github/workflows/benchmarks.yml"
GITLAB = ".gitlab-ci.benchmarks.yml"

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")


@pytest.fixture(autouse=True)
def repository(tmp_path: Path) -> Path:
    """A repository with a bench command, in which the guard runs."""
    subprocess.run([shutil.which("git") or "git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "hatch.toml").write_text('[envs.bench.scripts]\nall = "aether-bench run"\n', encoding="utf-8")
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def run_unprivileged(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `init` as an unprivileged user, because permissions do not apply to root."""
    # That user may not read the modules, so run `init` elsewhere first to import all of them.
    program = (
        "import contextlib, os, sys, tempfile\n"
        "from aether_guard.cli.app import main\n"
        "here = os.getcwd()\n"
        "with tempfile.TemporaryDirectory() as other, open(os.devnull, 'w') as nowhere:\n"
        "    os.chdir(other)\n"
        "    with contextlib.redirect_stdout(nowhere):\n"
        "        main(['init', '--ci', 'github'])\n"
        "        main(['init', '--ci', 'github'])\n"
        "    os.chdir(here)\n"
        "if os.geteuid() == 0:\n"
        "    os.seteuid(65534)\n"
        "sys.exit(main(['init', '--ci', 'github']))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, encoding="utf-8", check=False
    )


def assert_one_line_error(done: subprocess.CompletedProcess[str], *named: str) -> None:
    assert done.returncode == 2, done.stdout
    assert done.stderr.startswith("aether-guard: error: ")
    assert done.stderr.count("\n") == 1
    for name in named:
        assert name in done.stderr


def test_init_reports_each_written_file(guard: Guard, repository: Path) -> None:
    before = files(repository)
    done = guard("init", "--ci", "github")
    assert (done.returncode, done.stderr) == (0, "")
    written = files(repository).keys() - before.keys()
    assert written == {"aether.toml", GITHUB}
    lines = [line for line in done.stdout.splitlines() if line.startswith("wrote ")]
    assert sorted(line.split()[1].rstrip(":") for line in lines) == sorted(written)


def test_init_ends_with_two_commands_that_work(guard: Guard, write: Write) -> None:
    write("target/benchmarks/bench-pack.json")
    lines = guard("init", "--ci", "github").stdout.splitlines()
    assert lines[-3] == "next:"
    assert all(line.startswith("  aether-guard ") for line in lines[-2:])
    assert guard("promote", "--reason", "the first baseline").returncode == 0
    assert guard("check").returncode == 0


def test_init_asks_for_an_unknown_ci_host(guard: Guard, repository: Path) -> None:
    done = guard("init")
    assert "aether-guard init --ci gitlab" in done.stdout
    assert (repository / "aether.toml").exists()
    assert not (repository / ".github").exists()


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_second_run_changes_nothing(guard: Guard, repository: Path, ci: str) -> None:
    guard("init", "--ci", ci)
    before = files(repository)
    again = guard("init", "--ci", ci)
    assert (again.returncode, again.stderr) == (0, "")
    assert "unchanged: aether.toml\n" in again.stdout
    assert "nothing was written\n" in again.stdout
    assert "wrote " not in again.stdout
    assert files(repository) == before


def test_init_for_gitlab_writes_jobs_and_asks_for_the_include(guard: Guard, repository: Path) -> None:
    done = guard("init", "--ci", "gitlab")
    assert done.returncode == 0
    assert (repository / GITLAB).exists()
    assert not (repository / ".github").exists()
    assert f"wrote {GITLAB}: " in done.stdout
    assert ".gitlab-ci.yml" in done.stdout


@pytest.mark.parametrize("path", ["aether.toml", GITHUB])
@pytest.mark.parametrize("text", ["", "# not ours\n"])
def test_existing_file_is_never_overwritten(guard: Guard, repository: Path, path: str, text: str) -> None:
    (repository / path).parent.mkdir(parents=True, exist_ok=True)
    (repository / path).write_text(text, encoding="utf-8")
    done = guard("init", "--ci", "github")
    assert done.returncode == 0
    assert (repository / path).read_text(encoding="utf-8") == text
    assert f"left alone: {path} already exists; init would have written: " in done.stdout


def test_init_does_not_write_through_a_link(guard: Guard, repository: Path) -> None:
    (repository / GITHUB).parent.mkdir(parents=True)
    (repository / GITHUB).symlink_to(repository / "elsewhere.yml")
    done = guard("init", "--ci", "github")
    assert done.returncode == 0
    assert not (repository / "elsewhere.yml").exists()
    assert f"left alone: {GITHUB} " in done.stdout


def test_unknown_ci_host_is_refused(guard: Guard, repository: Path) -> None:
    done = guard("init", "--ci", "jenkins")
    assert done.returncode == 2
    assert "invalid choice: 'jenkins'" in done.stderr
    assert not (repository / "aether.toml").exists()


def test_init_below_the_top_folder_is_refused(guard: Guard, repository: Path) -> None:
    (repository / "deep" / "down").mkdir(parents=True)
    before = files(repository)
    done = guard("init", cwd=repository / "deep" / "down")
    assert_one_line_error(done, "not the top folder of the repository: run aether-guard init in ")
    assert files(repository) == before


@posix_only
def test_read_only_folder_is_a_one_line_error(repository: Path) -> None:
    repository.chmod(0o555)
    try:
        done = run_unprivileged(repository)
    finally:
        repository.chmod(0o755)
    assert_one_line_error(done, "aether.toml: cannot be written: permission denied")
    assert not (repository / "aether.toml").exists()


@posix_only
def test_error_names_the_files_already_written(repository: Path) -> None:
    (repository / ".github" / "workflows").mkdir(parents=True)
    (repository / ".github" / "workflows").chmod(0o555)
    repository.chmod(0o777)
    done = run_unprivileged(repository)
    assert_one_line_error(done, f"{GITHUB}: cannot be written: permission denied", "already written: aether.toml")
    assert (repository / "aether.toml").exists()
    assert not (repository / GITHUB).exists()


@posix_only
def test_unreadable_folder_is_skipped(repository: Path) -> None:
    (repository / "secret").mkdir(mode=0)
    repository.chmod(0o777)
    done = run_unprivileged(repository)
    (repository / "secret").chmod(0o755)
    assert (done.returncode, done.stderr) == (0, "")
    assert "skipped: secret: permission denied\n" in done.stdout
    assert "wrote aether.toml: " in done.stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_disk_behind_stdout_fails_after_writing_the_files(guard: Guard, repository: Path) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = guard("init", stdout=full.fileno())
    assert_one_line_error(done, "the output cannot be written: no space left on device")
    assert (repository / "aether.toml").exists()


@posix_only
def test_report_is_escaped_on_an_ascii_terminal(guard: Guard, write: Write) -> None:
    write("ergebnis-\N{GREEK SMALL LETTER MU}s/bench-a.json")
    done = guard("init", env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "found 1 summary in ergebnis-\\u03bcs: packaging\n" in done.stdout
