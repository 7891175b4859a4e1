from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from aether_compare.vcs.repository import (
    Repository,
    find_repository,
    resolve,
    unignored_files,
    untracked_files,
    worktree,
    worktrees_under,
)
from aether_guard.errors import GuardError
from aether_guard.vcs.run import error_line

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys
from aether_compare.vcs.repository import find_repository, resolve, worktree
repository = find_repository(sys.argv[1])
with worktree(repository, resolve(repository, "main"), sys.argv[2]):
    print("there", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def repository(project: Any) -> Repository:
    return find_repository(str(project.root))


@pytest.fixture
def tree(tmp_path: Path) -> str:
    return os.path.join(os.path.realpath(tmp_path), "cache", "tree")


def refusal(repository: Repository, name: str) -> str:
    with pytest.raises(GuardError) as caught:
        resolve(repository, name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Finding the repository.


def test_a_folder_within_a_repository_is_told_from_its_root(project: Any) -> None:
    found = find_repository(str(project.root / "inner"))
    assert found == Repository(root=os.path.realpath(project.root), prefix="inner")
    assert find_repository(str(project.root)).prefix == ""


def test_a_folder_outside_every_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match="not in a git repository"):
        find_repository(str(tmp_path))


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match=r"nowhere: no such file or directory|nowhere: .*cannot find"):
        find_repository(str(tmp_path / "nowhere"))


def test_a_repository_without_a_working_tree_is_refused_in_the_words_of_git(project: Any, tmp_path: Path) -> None:
    project.git("clone", "--quiet", "--bare", ".", str(tmp_path / "bare"))
    with pytest.raises(GuardError, match="bare: git: this operation must be run in a work tree"):
        find_repository(str(tmp_path / "bare"))


def test_git_itself_may_be_missing(project: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GuardError, match=r"^git: no such program"):
        find_repository(str(project.root))


# Resolving a revision.


def test_a_branch_a_tag_a_commit_and_an_expression_are_revisions(project: Any, repository: Repository) -> None:
    project.git("tag", "--annotate", "--message", "x", "v1", "release")
    found = [resolve(repository, name) for name in ("release", "v1", project.first, "HEAD~1", ":/value 1")]
    assert [revision.commit for revision in found] == [project.first] * 5


def test_a_revision_is_called_by_its_name_and_its_commit(project: Any, repository: Repository) -> None:
    assert resolve(repository, "release").label == f"release ({project.first[:7]})"
    assert resolve(repository, project.first[:10]).label == project.first[:7]


def test_an_unknown_revision_is_refused_with_the_nearest_known_one(repository: Repository) -> None:
    assert refusal(repository, "relaese") == "relaese: no such revision; did you mean release?"
    assert refusal(repository, "f" * 40) == f"{'f' * 40}: no such revision; `git fetch` brings those of a remote"


def test_a_branch_that_only_the_remote_has_is_pointed_at(project: Any, tmp_path: Path) -> None:
    project.git("clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = find_repository(str(tmp_path / "clone"))
    assert refusal(clone, "release").endswith("; did you mean origin/release?")


@pytest.mark.parametrize("name", ["", "--all", "^main", "main..release", "ma\0in"])
def test_what_is_no_single_revision_is_refused(repository: Repository, name: str) -> None:
    assert ": no such revision" in refusal(repository, name)


@pytest.mark.parametrize("name", ["main:src", "main:install.py"])
def test_a_file_or_a_folder_of_a_commit_is_no_revision(repository: Repository, name: str) -> None:
    assert refusal(repository, name).endswith("not a commit")


def test_a_shallow_clone_is_told_to_fetch_the_history(project: Any, tmp_path: Path) -> None:
    origin = project.root.as_uri()
    project.git("clone", "--quiet", "--depth", "1", origin, str(tmp_path / "shallow"))
    message = refusal(find_repository(str(tmp_path / "shallow")), project.first)
    assert "shallow clone" in message
    assert "`fetch-depth: 0`" in message


def test_a_repository_without_a_commit_says_so(project: Any, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    project.git("init", "--quiet", folder=tmp_path / "new")
    assert refusal(find_repository(str(tmp_path / "new")), "HEAD").endswith("this repository has no commit yet")


# Checking it out.


def test_a_worktree_holds_the_revision_while_the_users_changes_stay_where_they_are(
    project: Any, repository: Repository, tree: str
) -> None:
    project.write("src/product.py", "VALUE = 3\n")
    project.write("staged.txt", "staged")
    project.git("add", "staged.txt")
    project.write("untracked.txt", "untracked")
    before = project.state()
    with worktree(repository, resolve(repository, "release"), tree):
        with open(os.path.join(tree, "src", "product.py"), encoding="utf-8") as file:
            assert file.read() == "VALUE = 1\n"
        assert not os.path.exists(os.path.join(tree, "untracked.txt"))
        assert worktrees_under(repository, os.path.dirname(tree)) == [tree]
    assert project.state() == before
    assert not os.path.exists(tree)
    assert (project.root / "src" / "product.py").read_text() == "VALUE = 3\n"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_worktree_is_gone_however_it_is_left(
    project: Any, repository: Repository, tree: str, error: type[BaseException]
) -> None:
    before = project.state()
    with pytest.raises(error):  # noqa: PT012, SIM117 - what is left here is the worktree
        with worktree(repository, resolve(repository, "main"), tree):
            shutil.copy(os.path.join(tree, "install.py"), os.path.join(tree, "new.py"))
            raise error
    assert project.state() == before
    assert not os.path.exists(tree)


def test_what_a_killed_process_left_is_cleared_the_next_time(project: Any, repository: Repository, tree: str) -> None:
    before = project.state()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(project.root), tree], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"there"
        process.kill()
    assert worktrees_under(repository, os.path.dirname(tree)) == [tree]
    with worktree(repository, resolve(repository, "release"), tree):
        assert os.path.exists(os.path.join(tree, "install.py"))
    assert project.state() == before


def test_a_worktree_whose_folder_was_deleted_is_no_hindrance(project: Any, repository: Repository, tree: str) -> None:
    before = project.state()
    project.git("worktree", "add", "--quiet", "--detach", tree, "main")
    os.rename(tree, f"{tree}-elsewhere")
    with worktree(repository, resolve(repository, "release"), tree):
        assert os.path.exists(os.path.join(tree, "install.py"))
    assert project.state() == before


def test_a_folder_that_git_no_longer_knows_is_no_hindrance(repository: Repository, tree: str) -> None:
    os.makedirs(os.path.join(tree, "leftover"))
    with worktree(repository, resolve(repository, "main"), tree):
        assert not os.path.exists(os.path.join(tree, "leftover"))
    assert not os.path.exists(tree)


def test_a_worktree_of_the_users_own_stays_registered_while_its_disk_is_away(
    project: Any, repository: Repository, tree: str, tmp_path: Path
) -> None:
    project.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "own"), "main")
    (tmp_path / "own").rename(tmp_path / "away")
    before = project.state()
    with worktree(repository, resolve(repository, "main"), tree):
        pass
    assert project.state() == before


@pytest.mark.skipif(os.name != "posix", reason="a hook is made executable by its mode")
def test_hooks_are_not_run(project: Any, repository: Repository, tree: str, tmp_path: Path) -> None:
    hook = project.root / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran'\n")
    hook.chmod(0o755)
    project.git("checkout", "--quiet", "release")
    assert (tmp_path / "ran").exists()
    (tmp_path / "ran").unlink()
    with worktree(repository, resolve(repository, "main"), tree):
        pass
    assert not (tmp_path / "ran").exists()


def test_within_a_hook_it_is_the_folder_that_names_the_repository(
    project: Any, tree: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = project.state()
    with monkeypatch.context() as hook:
        hook.setenv("GIT_DIR", str(tmp_path / "other"))
        hook.setenv("GIT_INDEX_FILE", str(project.root / ".git" / "index"))
        hook.setenv("GIT_WORK_TREE", str(tmp_path))
        repository = find_repository(str(project.root))
        with worktree(repository, resolve(repository, "release"), tree):
            assert os.path.exists(os.path.join(tree, "install.py"))
    assert project.state() == before


def with_submodule(project: Any, tmp_path: Path) -> Path:
    part = type(project)(tmp_path / "part").root
    project.git("submodule", "--quiet", "add", part.as_uri(), "vendor/part")
    project.commit(3)
    return part


def test_submodules_are_checked_out_too_and_leave_nothing(
    project: Any, repository: Repository, tree: str, tmp_path: Path
) -> None:
    with_submodule(project, tmp_path)
    before = project.state()
    with worktree(repository, resolve(repository, "main"), tree):
        assert os.path.exists(os.path.join(tree, "vendor", "part", "install.py"))
    assert project.state() == before
    assert not os.path.exists(tree)


def test_a_submodule_that_cannot_be_fetched_is_named_and_nothing_is_left(
    project: Any, repository: Repository, tree: str, tmp_path: Path
) -> None:
    with_submodule(project, tmp_path).rename(tmp_path / "gone")
    before = project.state()
    main = resolve(repository, "main")
    expected = r"^main \(\w+\): a submodule cannot be fetched: [^\n]*vendor/part[^\n]*$"
    with pytest.raises(GuardError, match=expected), worktree(repository, main, tree):
        pytest.fail("the worktree is not whole")
    assert project.state() == before


def test_a_place_that_cannot_be_written_is_named_in_one_line(repository: Repository, tree: str) -> None:
    with open(os.path.dirname(tree), "w", encoding="utf-8"):
        pass
    main, expected = resolve(repository, "main"), r"cannot be checked out: [^\n]*tree[^\n]*$"
    with pytest.raises(GuardError, match=expected), worktree(repository, main, tree):
        pytest.fail("there is no place for it")


# The files of a tree.


def test_the_files_of_a_tree_are_those_that_could_be_committed(project: Any) -> None:
    project.write("untracked.txt", "")
    project.write("ignored.made", "")
    assert {"install.py", "untracked.txt"} <= set(unignored_files(str(project.root)))
    assert "ignored.made" not in unignored_files(str(project.root))
    assert untracked_files(str(project.root)) == ["ignored.made", "untracked.txt"]


# What failed.


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("hint: a\nfatal: it broke\nhint: b\n", "it broke"),
        ("fatal: cannot\nerror: write: No space left on device\n", "write: No space left on device"),
        ("error: unable to write file x\nfatal: could not reset\n", "unable to write file x"),
        ("one\ntwo\n\nhint: this\n", "two"),
        ("bell \a\n", "bell \\x07"),
        ("", "no error message"),
    ],
)
def test_the_line_that_says_most_stands_for_the_output(output: str, line: str) -> None:
    assert error_line(output.encode()) == line


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_worktree_is_gone_after_a_termination_that_is_an_exception(project: Any, tree: str) -> None:
    before = project.state()
    code = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(1))\n"
    with subprocess.Popen(
        [sys.executable, "-c", f"import sys\n{code}{HOLD}", str(project.root), tree],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"there"
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 1
    assert project.state() == before
