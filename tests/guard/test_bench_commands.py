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
    """A repository of somebody's with a bench command and a summary in it, where the guard runs."""
    subprocess.run([shutil.which("git") or "git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "hatch.toml").write_text('[envs.bench.scripts]\nall = "aether-bench run"\n', encoding="utf-8")
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    there = [path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in there}


def as_nobody(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `init` as somebody who may do no more than the permissions say; root may do anything."""
    # As somebody else, who may not even import, it has to have written and read its files once before.
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


def assert_refused_in_a_line(done: subprocess.CompletedProcess[str], *named: str) -> None:
    assert done.returncode == 2, done.stdout
    assert done.stderr.startswith("aether-guard: error: ")
    assert done.stderr.count("\n") == 1
    for name in named:
        assert name in done.stderr


def test_it_writes_a_configuration_and_a_workflow_and_says_so_of_each(guard: Guard, repository: Path) -> None:
    before = files(repository)
    done = guard("init", "--ci", "github")
    assert (done.returncode, done.stderr) == (0, "")
    written = files(repository).keys() - before.keys()
    assert written == {"aether.toml", GITHUB}
    said = [line for line in done.stdout.splitlines() if line.startswith("wrote ")]
    assert sorted(line.split()[1].rstrip(":") for line in said) == sorted(written)


def test_it_ends_with_two_commands_that_can_be_run_next(guard: Guard, write: Write) -> None:
    write("target/benchmarks/bench-pack.json")
    lines = guard("init", "--ci", "github").stdout.splitlines()
    assert lines[-3] == "next:"
    assert all(line.startswith("  aether-guard ") for line in lines[-2:])
    assert guard("promote", "--reason", "the first baseline").returncode == 0
    assert guard("check").returncode == 0


def test_without_a_host_to_be_seen_it_asks_for_one(guard: Guard, repository: Path) -> None:
    done = guard("init")
    assert "aether-guard init --ci gitlab" in done.stdout
    assert (repository / "aether.toml").exists()
    assert not (repository / ".github").exists()


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_a_second_run_changes_nothing_and_says_so(guard: Guard, repository: Path, ci: str) -> None:
    guard("init", "--ci", ci)
    before = files(repository)
    again = guard("init", "--ci", ci)
    assert (again.returncode, again.stderr) == (0, "")
    assert "unchanged: aether.toml\n" in again.stdout
    assert "nothing was written\n" in again.stdout
    assert "wrote " not in again.stdout
    assert files(repository) == before


def test_for_gitlab_it_writes_jobs_and_asks_for_the_line_that_includes_them(guard: Guard, repository: Path) -> None:
    done = guard("init", "--ci", "gitlab")
    assert done.returncode == 0
    assert (repository / GITLAB).exists()
    assert not (repository / ".github").exists()
    assert f"wrote {GITLAB}: " in done.stdout
    assert ".gitlab-ci.yml" in done.stdout


@pytest.mark.parametrize("path", ["aether.toml", GITHUB])
@pytest.mark.parametrize("text", ["", "# somebody else's\n"])
def test_what_is_there_is_never_overwritten_and_that_is_said(
    guard: Guard, repository: Path, path: str, text: str
) -> None:
    (repository / path).parent.mkdir(parents=True, exist_ok=True)
    (repository / path).write_text(text, encoding="utf-8")
    done = guard("init", "--ci", "github")
    assert done.returncode == 0
    assert (repository / path).read_text(encoding="utf-8") == text
    assert f"left alone: {path} is there already; it would have said: " in done.stdout


def test_a_link_is_not_written_through(guard: Guard, repository: Path) -> None:
    (repository / GITHUB).parent.mkdir(parents=True)
    (repository / GITHUB).symlink_to(repository / "elsewhere.yml")
    done = guard("init", "--ci", "github")
    assert done.returncode == 0
    assert not (repository / "elsewhere.yml").exists()
    assert f"left alone: {GITHUB} " in done.stdout


def test_a_host_that_is_not_known_is_refused(guard: Guard, repository: Path) -> None:
    done = guard("init", "--ci", "jenkins")
    assert done.returncode == 2
    assert "invalid choice: 'jenkins'" in done.stderr
    assert not (repository / "aether.toml").exists()


def test_below_the_top_of_the_repository_it_is_refused_and_nothing_is_written(guard: Guard, repository: Path) -> None:
    (repository / "deep" / "down").mkdir(parents=True)
    before = files(repository)
    done = guard("init", cwd=repository / "deep" / "down")
    assert_refused_in_a_line(done, "run aether-guard init at its top")
    assert files(repository) == before


@posix_only
def test_in_a_folder_that_may_not_be_written_to_it_is_one_line(repository: Path) -> None:
    repository.chmod(0o555)
    try:
        done = as_nobody(repository)
    finally:
        repository.chmod(0o755)
    assert_refused_in_a_line(done, "aether.toml: cannot be written: permission denied")
    assert not (repository / "aether.toml").exists()


@posix_only
def test_of_two_files_of_which_one_cannot_be_written_the_other_is_said(repository: Path) -> None:
    (repository / ".github" / "workflows").mkdir(parents=True)
    (repository / ".github" / "workflows").chmod(0o555)
    repository.chmod(0o777)
    done = as_nobody(repository)
    assert_refused_in_a_line(done, f"{GITHUB}: cannot be written: permission denied", "written before it: aether.toml")
    assert (repository / "aether.toml").exists()
    assert not (repository / GITHUB).exists()


@posix_only
def test_a_folder_that_may_not_be_looked_into_is_said_and_stops_nothing(repository: Path) -> None:
    (repository / "secret").mkdir(mode=0)
    repository.chmod(0o777)
    done = as_nobody(repository)
    (repository / "secret").chmod(0o755)
    assert (done.returncode, done.stderr) == (0, "")
    assert "not looked at: secret: permission denied\n" in done.stdout
    assert "wrote aether.toml: " in done.stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_behind_the_standard_output_fails_although_the_files_are_there(
    guard: Guard, repository: Path
) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = guard("init", stdout=full.fileno())
    assert_refused_in_a_line(done, "the output cannot be written: no space left on device")
    assert (repository / "aether.toml").exists()


@posix_only
def test_a_bench_command_that_is_no_ascii_is_told_to_a_terminal_that_can_show_nothing_else(
    guard: Guard, write: Write
) -> None:
    write("ergebnis-\N{GREEK SMALL LETTER MU}s/bench-a.json")
    done = guard("init", env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "found 1 summary in ergebnis-\\u03bcs: packaging\n" in done.stdout
