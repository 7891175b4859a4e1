"""Repositories, simulated pairs, and runs of `aether-guard ab` with a folder for scratch that marks all they start."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from aether_compare.json_schema import published_ab_schema
from aether_compare.scheduler import Comparison, ComparisonSpec
from aether_compare.stats.e_process import CostPair
from aether_compare.stats.sequential_test import TestSpec
from aether_guard.check.estimate import to_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from random import Random

    import psutil

#: Stands for the harness, and puts a tree's own folder on its environment's path, as an editable install would.
INSTALL = (
    "import pathlib, sysconfig\n"
    "folder = pathlib.Path(sysconfig.get_path('purelib'))\n"
    "folder.joinpath('side.pth').write_text(str(pathlib.Path('src').resolve()))\n"
)

#: A build backend in a tree itself, so that nothing is fetched: an editable install points at `src`, another copies it.
BACKEND = """
import pathlib, tomllib, zipfile

name = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]["name"]

def build(folder, files):
    with zipfile.ZipFile(pathlib.Path(folder, f"{name}-1-py3-none-any.whl"), "w") as wheel:
        info = f"{name}-1.dist-info"
        files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\\nName: {name}\\nVersion: 1\\n"
        files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        for path, text in files.items():
            wheel.writestr(path, text)
        wheel.writestr(f"{info}/RECORD", "".join(f"{path},,\\n" for path in [*files, f"{info}/RECORD"]))
    return f"{name}-1-py3-none-any.whl"

def sources():
    return {path.relative_to("src").as_posix(): path.read_text() for path in pathlib.Path("src").rglob("*.py")}

def build_wheel(folder, config_settings=None, metadata_directory=None):
    return build(folder, sources())

def build_editable(folder, config_settings=None, metadata_directory=None):
    paths = [str(pathlib.Path("src").resolve()), *pathlib.Path("paths").read_text().splitlines()]
    made = sources() if pathlib.Path("copies").exists() else {}
    return build(folder, {f"{name}.pth": "\\n".join(paths), **made})
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "{name}"
version = "1"
requires-python = ">=3.11"
"""
DEPENDS = """
dependencies = ["lib"]

[tool.uv.sources]
lib = {{ path = "{lib}" }}
"""
UV_LOCK = """
version = 1
requires-python = ">=3.11"

[[package]]
name = "project"
version = "1"
source = {{ editable = "." }}
dependencies = [{{ name = "lib" }}]

[[package]]
name = "lib"
version = "1"
source = {{ directory = "{lib}" }}
"""

SCHEMA = Draft202012Validator(json.loads(published_ab_schema()))

# Of these benches `pace` and `rate` do what they are told, and misbehave from their fourth sample on.
BENCHES = """
from __future__ import annotations

import os, sys, time
from contextlib import contextmanager
from msgspec import Struct
from aether_harness import Sampled

print("what a file prints is no report")
count = 0


class Params(Struct, frozen=True, kw_only=True):
    ms: float = 2.0
    kb: int = 10
    fault: str = ""


class Session:
    def __init__(self, params):
        self.params = params

    def sample(self):
        global count
        count += 1
        time.sleep(self.params.ms / 1000)
        if self.params.fault and count > 3:
            return FAULTS[self.params.fault]()
        return Sampled(moved_bytes=1000 * self.params.kb)

    def verify(self):
        pass


FAULTS = {
    "raise": lambda: 1 / 0,
    "crash": lambda: os.kill(os.getpid(), 9),
    "hang": lambda: time.sleep(600),
    "print": lambda: print("progress", flush=True),
    "mutter": lambda: print("now and then") if LIFE > 2 else None,
    "fork": os.fork,
    "exit": lambda: sys.exit(4),
    "end": lambda: os._exit(4),
    "zero": lambda: Sampled(cost=0.0),
    "nothing": lambda: None,
}


class Bench:
    params_type = Params
    about = "sleeps"

    def __init__(self, name, metric):
        self.bench_id = self.name = name
        self.metric = metric

    @contextmanager
    def open(self, params, place):
        global LIFE
        LIFE = int(os.path.basename(place.folder))
        yield Session(params)


pace = Bench("pace", "duration_ms")
rate = Bench("rate", "throughput_mbs")
"""


class Project:
    """A real repository of a product with a value, at 1 in the first commit and at 2 in the second."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.git("init", "--quiet", "--initial-branch", "main")
        self.write("install.py", INSTALL)
        self.write("src/aether_harness/__init__.py", "")
        self.write("src/aether_harness/worker/main.py", "")
        self.write("inner/kept.txt", "")
        self.write(".gitignore", "*.made\n")
        self.first = self.commit(1)
        self.git("branch", "release")
        self.second = self.commit(2)

    def git(self, *arguments: str, folder: Path | None = None) -> str:
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        done = subprocess.run(
            ["git", *identity, *arguments],  # noqa: S607 - the one on the PATH, as the guard's
            cwd=folder or self.root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def depend_on(self, lib: str, *paths: str) -> None:
        """Have uv install the product editable, with some paths, and a library in the folder `lib` as a copy."""
        for folder, name in ((".", "project"), (lib, "lib")):
            self.write(f"{folder}/backend.py", BACKEND)
            self.write(f"{folder}/pyproject.toml", PYPROJECT.format(name=name))
            self.write(f"{folder}/paths", "\n".join(paths))
        with (self.root / "pyproject.toml").open("a") as file:
            file.write(DEPENDS.format(lib=lib))
        self.write("uv.lock", UV_LOCK.format(lib=lib))

    def commit(self, value: int) -> str:
        self.write("src/product.py", f"VALUE = {value}\n")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", f"value {value}")
        return self.git("rev-parse", "HEAD")

    def state(self) -> tuple[str, ...]:
        """Return what must be the same afterwards: worktrees, status, index, stash and branches."""
        kept = self.root / ".git" / "worktrees"
        return (
            self.git("worktree", "list", "--porcelain"),
            self.git("status", "--porcelain", "--ignored"),
            self.git("ls-files", "--stage"),
            self.git("stash", "list"),
            self.git("for-each-ref"),
            " ".join(os.listdir(kept)) if kept.exists() else "",
        )


@pytest.fixture(autouse=True)
def _plain_git(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's own settings out, and let a submodule lie on this disk."""
    settings = tmp_path_factory.mktemp("git") / "config"
    settings.write_text("[protocol.file]\n\tallow = always\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture(scope="session")
def lives() -> Callable[..., list[tuple[CostPair, ...]]]:
    """Simulate lives of two processes: `spread` is what a sample's cost varies by, `luck` what a process's does."""

    def build(  # noqa: PLR0913 - each is a knob of the simulation
        draw: Random,
        count: int,
        *,
        change: float = 0.0,
        spread: float = 0.02,
        luck: float = 0.0,
        pairs: int = 1,
        lower_is_better: bool = True,
    ) -> list[tuple[CostPair, ...]]:
        shift = to_log(change, lower_is_better=lower_is_better)
        drawn = []
        for _ in range(count):
            old, new = draw.gauss(0, luck), draw.gauss(0, luck) + shift
            drawn.append(
                tuple(
                    CostPair(old=math.exp(old + draw.gauss(0, spread)), new=math.exp(new + draw.gauss(0, spread)))
                    for _ in range(pairs)
                )
            )
        return drawn

    return build


@pytest.fixture
def ab_env(tmp_path: Path, end_all_in: Callable[[Path], None]) -> Iterator[dict[str, str]]:
    """Yield what marks the processes of a test; end those that are left."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (tmp_path / "benches.py").write_text(BENCHES, encoding="utf-8")
    env = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))
    yield env
    end_all_in(scratch)


@pytest.fixture
def ab(
    guard: Callable[..., subprocess.CompletedProcess[str]], ab_env: dict[str, str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs `aether-guard ab` in the test's folder, where `benches.py` lies."""

    def run(*arguments: str, env: dict[str, str] | None = None, **how: Any) -> subprocess.CompletedProcess[str]:
        done = guard("ab", *arguments, env={**ab_env, **(env or {})}, **how)
        assert "Traceback" not in (done.stderr or ""), done.stderr
        return done

    return run


@pytest.fixture
def started(tmp_path: Path, ab_env: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Yield a function that starts `aether-guard ab` and does not wait for it."""
    running: list[subprocess.Popen[str]] = []

    def started(*arguments: str) -> subprocess.Popen[str]:
        running.append(
            subprocess.Popen(
                [sys.executable, "-m", "aether_guard", "ab", *arguments],
                cwd=tmp_path,
                env={**os.environ, **ab_env},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
            )
        )
        return running[-1]

    yield started
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def processes(
    tmp_path: Path, ab_env: dict[str, str], alive_in: Callable[[Path], list[psutil.Process]]
) -> Callable[[], list[psutil.Process]]:
    """Return a function that gives the processes of the test's runs."""
    assert ab_env
    return lambda: alive_in(tmp_path / "scratch")


@pytest.fixture
def scratch(tmp_path: Path) -> Callable[[], list[str]]:
    """Return a function that gives what lies in the folder for scratch."""
    return lambda: os.listdir(tmp_path / "scratch")


@pytest.fixture
def json_of() -> Callable[[str], dict[str, Any]]:
    """Return a function that reads what `--format json` printed, and holds it against the published schema."""

    def json_of(text: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(text)
        assert list(SCHEMA.iter_errors(document)) == []
        return document

    return json_of


@pytest.fixture(scope="session")
def comparison() -> Callable[..., Comparison]:
    """Return a function that begins a bench in milliseconds."""

    def comparison(bench_id: str = "thing", **rule: Any) -> Comparison:
        question = ComparisonSpec(
            bench_id=bench_id,
            metric="duration_ms",
            unit="ms",
            old_side="before",
            new_side="after",
            rule=TestSpec(**rule),
        )
        return Comparison(question)

    return comparison
