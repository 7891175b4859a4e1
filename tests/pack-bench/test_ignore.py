from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from aether_harness import BenchError
from aether_pack_bench.trees.walk import walk

if TYPE_CHECKING:
    from pathlib import Path

FILES = (
    "app.py",
    "app.pyc",
    "build/out.js",
    "build/keep.txt",
    "docs/build/page.html",
    "docs/drafts/a.md",
    "docs/drafts/b.md",
    "lib/x.log",
    "lib/important.log",
    "lib/deep/y.log",
    "lib/deep/café.tmp",
    "target",
)
IGNORE_FILES = {
    ".gitignore": "# what is made\n*.pyc\n/build/*\n!/build/keep.txt\n*.log\ntarget/\n*.tmp\n",
    "docs/.gitignore": "drafts/*\n!drafts/b.md\n",
    "lib/.gitignore": "!important.log\n",
    "lib/deep/.gitignore": "!y.log\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a tree with ignore files in several of its folders."""
    for path, content in {**dict.fromkeys(FILES, ""), **IGNORE_FILES}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content, encoding="utf-8")
    return tmp_path


def files_of(root: Path, ignore: str | None) -> list[str]:
    """Return the paths of all files that are walked."""
    return [entry.path for entry in walk(str(root), ignore) if entry.kind == "file"]


def test_what_ignore_files_leave_out_is_left_out_and_the_nearest_decides(project: Path) -> None:
    assert [path for path in files_of(project, ".gitignore") if not path.endswith(".gitignore")] == [
        "app.py",
        "build/keep.txt",
        "docs/build/page.html",
        "docs/drafts/b.md",
        "lib/deep/y.log",
        "lib/important.log",
        "target",
    ]


@pytest.mark.skipif(shutil.which("git") is None, reason="no git here")
def test_what_is_left_out_is_what_git_leaves_out(project: Path) -> None:
    git = ["git", "-c", "core.quotepath=off", "-c", "core.excludesFile="]
    subprocess.run([*git, "init", "--quiet"], cwd=project, check=True, timeout=60)
    command = [*git, "ls-files", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True, timeout=60).stdout
    shutil.rmtree(project / ".git")
    assert sorted(files_of(project, ".gitignore")) == sorted(listed.splitlines())


def test_without_a_name_nothing_is_left_out(project: Path) -> None:
    assert len(files_of(project, None)) == len(FILES) + len(IGNORE_FILES)
    assert len(files_of(project, ".dockerignore")) == len(FILES) + len(IGNORE_FILES)


def test_a_folder_that_is_left_out_is_not_even_read(project: Path) -> None:
    (project / ".gitignore").write_text("lib/\n")
    (project / "lib" / ".gitignore").write_text("!important.log\n")
    assert not [path for path in files_of(project, ".gitignore") if path.startswith("lib")]


def test_a_pattern_that_makes_no_sense_names_its_file(project: Path) -> None:
    (project / "docs" / ".gitignore").write_text("ok\n!\n")
    with pytest.raises(BenchError, match=r"docs.\.gitignore: "):
        walk(str(project), ".gitignore")
