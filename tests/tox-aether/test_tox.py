"""A real tox in a project that is not ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Tox = Callable[..., subprocess.CompletedProcess[str]]

PACKAGES = Path(__file__).parents[2] / "packages"
BENCH = "from aether_harness import bench\n\n@bench\ndef parse():\n    sum(range(1000))\n"
PLAIN = """
[tool.tox]
requires = ["tox-aether"]
env_list = ["py"]
skip_missing_interpreters = true

[tool.tox.env_run_base]
package = "skip"
commands = [["python", "-c", "print('the tests')"]]
"""


@pytest.fixture
def tox(tmp_path: Path) -> Tox:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks/my_bench.py").write_text(BENCH)

    def run(configuration: str, *arguments: str, file: str = "pyproject.toml") -> subprocess.CompletedProcess[str]:
        (tmp_path / file).write_text(configuration)
        env = {key: value for key, value in os.environ.items() if not key.startswith("TOX")}
        return subprocess.run(
            [sys.executable, "-m", "tox", *arguments],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def setting(tox: Tox, configuration: str, env: str, key: str, *more: str, file: str = "pyproject.toml") -> str:
    done = tox(configuration, "config", "-e", env, "-k", key, *more, file=file)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.partition(f"{key} =")[2].strip()


def test_the_environments_need_no_section(tox: Tox) -> None:
    done = tox(PLAIN, "list")
    assert "bench -> measure the benches" in done.stdout
    assert "guard -> compare with the baselines" in done.stdout


def test_the_base_section_does_not_replace_the_commands(tox: Tox) -> None:
    assert setting(tox, PLAIN, "bench", "commands") == "aether-bench run"
    assert setting(tox, PLAIN, "guard", "commands") == "aether-guard check"
    assert setting(tox, PLAIN, "guard", "deps") == "aether-guard[ab]>=0.1,<0.2"


def test_keys_of_the_user_replace_the_defaults(tox: Tox) -> None:
    mine = PLAIN + '[tool.tox.env.bench]\ncommands = [["make", "bench"]]\nset_env = { A = "1" }\n'
    assert setting(tox, mine, "bench", "commands") == "make bench"
    assert setting(tox, mine, "bench", "deps") == "aether-harness>=0.1,<0.2"


def test_an_ini_file_works_as_well(tox: Tox) -> None:
    mine = "[tox]\nenv_list = py\n[testenv]\ncommands = python -V\n[testenv:bench]\naether_benches = a.py\n"
    assert setting(tox, mine, "bench", "commands", file="tox.ini") == "aether-bench run a.py"


def test_an_override_on_the_command_line_wins(tox: Tox) -> None:
    mine = PLAIN + '[tool.tox.env.bench]\naether_benches = ["a.py"]\n'
    assert setting(tox, mine, "bench", "commands", "-x", "tool.tox.env.bench.commands=true") == "true"


def test_a_project_is_measured_and_guarded(tox: Tox, tmp_path: Path) -> None:
    def local(*names: str) -> str:
        return "aether_requires = [" + ", ".join(f'"{PACKAGES / name}"' for name in names) + "]\n"

    mine = (
        PLAIN
        + '[tool.tox.env.bench]\naether_benches = ["benchmarks/my_bench.py"]\n'
        + local("schema", "harness")
        + "[tool.tox.env.guard]\n"
        + local("schema", "formats", "guard")
    )
    measured = tox(mine, "run", "-e", "bench", "--", "--profile", "quick")
    assert measured.returncode == 0, measured.stdout + measured.stderr
    assert (tmp_path / "target/benchmarks/bench-parse.json").exists()
    paths = ("--baseline", "baseline", "--current", "target/benchmarks")
    assert tox(mine, "run", "-e", "guard", "--", "promote", *paths, "--reason", "first").returncode == 0
    checked = tox(mine, "run", "-e", "guard", "--", "check", *paths)
    assert (checked.returncode, "1 passed" in checked.stdout) == (0, True), checked.stdout + checked.stderr
