from __future__ import annotations

import math
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from aether_guard.ab.bet import Pair
from aether_guard.estimate import as_log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

#: Stands for the harness, and puts a tree's own folder on its environment's path, as an editable install would.
INSTALL = (
    "import pathlib, sysconfig\n"
    "folder = pathlib.Path(sysconfig.get_path('purelib'))\n"
    "folder.joinpath('side.pth').write_text(str(pathlib.Path('src').resolve()))\n"
)


class Project:
    """A real repository of a product with a value, at 1 in the first commit and at 2 in the second."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.git("init", "--quiet", "--initial-branch", "main")
        self.write("install.py", INSTALL)
        self.write("src/aether_harness/__init__.py", "")
        self.write("src/aether_harness/worker.py", "")
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
def lives() -> Callable[..., list[tuple[Pair, ...]]]:
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
    ) -> list[tuple[Pair, ...]]:
        shift = as_log(change, lower_is_better=lower_is_better)
        drawn = []
        for _ in range(count):
            old, new = draw.gauss(0, luck), draw.gauss(0, luck) + shift
            drawn.append(
                tuple(
                    Pair(old=math.exp(old + draw.gauss(0, spread)), new=math.exp(new + draw.gauss(0, spread)))
                    for _ in range(pairs)
                )
            )
        return drawn

    return build
