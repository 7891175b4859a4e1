"""A real hatch in a project that is not ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aether_schema import read_summary

if TYPE_CHECKING:
    from collections.abc import Callable

    Hatch = Callable[..., subprocess.CompletedProcess[str]]

PACKAGES = Path(__file__).parents[2] / "packages"
PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "demo"
version = "0.1"
"""
COLLECTOR = """
[tool.hatch.env]
requires = ["hatch-aether"]

[tool.hatch.env.collectors.aether]
benches = ["benchmarks/my_bench.py"]
"""
HOOK = """
[tool.hatch.build.hooks.aether]
"""
LOCAL = "[tool.hatch.env.collectors.aether.versions]\n" + "".join(
    f'aether-{name} = "@ {(PACKAGES / name).as_uri()}"\n'
    for name in ("harness", "schema", "guard", "formats", "compare")
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "src/demo").mkdir(parents=True)
    (tmp_path / "src/demo/__init__.py").write_text("VALUE = 1\n")
    (tmp_path / "benchmarks").mkdir()
    bench = "from aether_harness import bench\n\n@bench\ndef parse():\n    sum(range(1000))\n"
    (tmp_path / "benchmarks/my_bench.py").write_text(bench)
    return tmp_path


@pytest.fixture
def hatch(project: Path) -> Hatch:
    """Run hatch in the project, with its environments in there too."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "HATCH_DATA_DIR": str(project / ".data"), "NO_COLOR": "1", "COLUMNS": "200"}
        return subprocess.run(
            [sys.executable, "-m", "hatch", *arguments],
            cwd=project,
            env={key: value for key, value in env.items() if not key.startswith("HATCH_ENV")},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def shown(hatch: Hatch) -> dict[str, Any]:
    done = hatch("env", "show", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    environments: dict[str, Any] = json.loads(done.stdout)
    return environments


def test_two_tables_bring_the_environments(project: Path, hatch: Hatch) -> None:
    (project / "pyproject.toml").write_text(PROJECT + COLLECTOR)
    environments = shown(hatch)
    assert environments["bench"]["scripts"]["all"] == ["aether-bench run benchmarks/my_bench.py"]
    assert environments["guard"]["scripts"]["check"] == ["aether-guard check"]


def test_the_requirement_alone_brings_nothing(project: Path, hatch: Hatch) -> None:
    (project / "pyproject.toml").write_text(PROJECT + '[tool.hatch.env]\nrequires = ["hatch-aether"]\n')
    assert "bench" not in shown(hatch)


def test_a_script_of_the_user_leaves_ours_in_place(project: Path, hatch: Hatch) -> None:
    mine = '[tool.hatch.envs.bench.scripts]\nlist = "echo mine"\n'
    (project / "pyproject.toml").write_text(PROJECT + COLLECTOR + mine)
    scripts = shown(hatch)["bench"]["scripts"]
    assert scripts["list"] == ["echo mine"]
    assert "all" in scripts


def test_a_wrong_option_is_one_line_that_names_the_key(project: Path, hatch: Hatch) -> None:
    (project / "pyproject.toml").write_text(PROJECT + COLLECTOR.replace('["benchmarks/my_bench.py"]', '"a.py"'))
    done = hatch("run", "bench:list")
    problem = "Field `tool.hatch.env.collectors.aether.benches` must be an array of strings"
    assert (done.returncode, done.stderr) == (1, f"hatch-aether: {problem}\n")


def test_a_project_is_measured_and_guarded(project: Path, hatch: Hatch) -> None:
    installer = '[tool.hatch.envs.bench]\ninstaller = "uv"\n[tool.hatch.envs.guard]\ninstaller = "uv"\n'
    (project / "pyproject.toml").write_text(PROJECT + COLLECTOR + LOCAL + installer)
    measured = hatch("run", "bench:all", "--profile", "quick")
    assert measured.returncode == 0, measured.stdout + measured.stderr
    assert (project / "target/benchmarks/bench-parse.json").exists()
    unguarded = hatch("run", "guard:publish")
    assert unguarded.returncode == 2
    assert "aether-guard: error:" in unguarded.stderr
    paths = ("--baseline", "baseline", "--current", "target/benchmarks")
    assert hatch("run", "guard:promote", *paths, "--reason", "first").returncode == 0
    checked = hatch("run", "guard:check", *paths)
    assert (checked.returncode, "1 passed" in checked.stdout) == (0, True), checked.stdout + checked.stderr


def build(project: Path, target: str, out: str) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", out]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (artifact,) = (project / out).iterdir()
    return artifact


@pytest.mark.parametrize("target", ["wheel", "sdist"])
def test_a_build_leaves_a_summary_and_the_same_artifact(project: Path, target: str) -> None:
    (project / "pyproject.toml").write_text(PROJECT)
    without = build(project, target, "plain").read_bytes()
    # The hook's own table is part of an sdist, so that only the wheel can be compared to the byte.
    (project / "pyproject.toml").write_text(PROJECT + HOOK)
    artifact = build(project, target, "hooked")
    if target == "wheel":
        assert artifact.read_bytes() == without
    summary = read_summary(str(project / f"target/benchmarks/bench-build-{target}.json"))
    assert (summary.bench_id, summary.metric, summary.n) == (f"build-{target}", "duration_ms", 1)
    assert summary.readings is not None
    assert summary.readings["size_bytes"] == artifact.stat().st_size
    if target == "sdist":
        with tarfile.open(artifact) as archive:
            assert summary.readings["entries"] == len(archive.getnames())
    assert "sha256" in (summary.notes or "")


def test_a_wrong_folder_of_the_hook_is_named(project: Path) -> None:
    (project / "pyproject.toml").write_text(PROJECT + HOOK + "folder = 1\n")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Field `tool.hatch.build.hooks.aether.folder` must be a string" in done.stderr
