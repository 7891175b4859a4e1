"""A repository, its revisions, and a worktree of one of them that is gone afterwards."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_compare.vcs.run import run_git
from aether_guard.errors import GuardError
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHORT = 7


class Repository(Struct, frozen=True, kw_only=True):
    """A working tree of git: its root, and the folder that is meant, as a path beneath the root."""

    root: str
    prefix: str


class Revision(Struct, frozen=True, kw_only=True):
    """A commit, and the name it was asked for by."""

    name: str
    commit: str

    @property
    def label(self) -> str:
        """The name in a report: `origin/main (1a2b3c4)`."""
        short = self.commit[:_SHORT]
        return short if self.commit.startswith(self.name) else f"{printable(self.name)} ({short})"


def find_repository(folder: str) -> Repository:
    """Return the repository that `folder` is in.

    Raises:
        GuardError: it is in none, git refuses to read it, or git is not installed.

    """
    top = run_git(folder, "rev-parse", "--show-toplevel")
    if top.problem.startswith("not a git repository"):
        raise GuardError(f"{_shown(folder)}: not in a git repository, so there are no revisions to compare")
    if top.problem:
        raise GuardError(f"{_shown(folder)}: git: {top.problem}")
    prefix = run_git(folder, "rev-parse", "--show-prefix").line
    return Repository(root=os.path.realpath(top.line), prefix=os.path.normpath(prefix) if prefix else "")


def resolve(repository: Repository, name: str) -> Revision:
    """Return the commit that `name` stands for.

    Raises:
        GuardError: it stands for none; the message names the nearest branch or tag, and a shallow clone's remedy.

    """
    # git would take such a name for an option or an omitted revision.
    plain = name and not name.startswith(("-", "^")) and "\0" not in name
    found = run_git(repository.root, "rev-parse", "--verify", "--quiet", name).line if plain else ""
    commit = run_git(repository.root, "rev-parse", "--verify", "--quiet", f"{found}^{{commit}}").line if found else ""
    if commit:
        return Revision(name=name, commit=commit)
    shown = printable(name) or "''"
    if found and run_git(repository.root, "cat-file", "-t", found).line in {"blob", "tree"}:
        raise GuardError(f"{shown}: names a file or a folder of a commit, not a commit")
    if run_git(repository.root, "rev-parse", "--is-shallow-repository").line == "true":
        raise GuardError(
            f"{shown}: no such revision in this shallow clone; fetch the history first: `fetch-depth: 0` "
            "for actions/checkout, `git fetch --unshallow` elsewhere"
        )
    raise GuardError(f"{shown}: no such revision{_hint(repository, name)}")


def untracked_files(tree: str) -> list[str]:
    """Return the files in `tree` that are in no commit, including ignored ones, relative to it."""
    return _paths(run_git(tree, "ls-files", "-z", "--others").text)


def unignored_files(tree: str) -> list[str]:
    """Return the files of `tree` that are tracked or could be: all but the ignored, as paths beneath it.

    The files of nested repositories, such as submodules, are included.
    """
    paths = _paths(run_git(tree, "ls-files", "-z", "--cached", "--others", "--exclude-standard").text)
    for path in paths.copy():
        inner = os.path.join(tree, path)
        if os.path.exists(os.path.join(inner, ".git")) and not os.path.islink(inner):
            paths += [os.path.join(path, each) for each in unignored_files(inner)]
    return paths


def worktrees_under(repository: Repository, folder: str) -> list[str]:
    """Return the worktrees that the repository knows in `folder`, there or not."""
    lines = run_git(repository.root, "worktree", "list", "--porcelain").text.splitlines()
    # git writes paths with slashes everywhere.
    paths = [os.path.normpath(line.removeprefix("worktree ")) for line in lines if line.startswith("worktree ")]
    return [path for path in paths if path.startswith(os.path.join(folder, ""))]


@contextmanager
def worktree(repository: Repository, revision: Revision, tree: str, *, has_submodules: bool = True) -> Iterator[None]:
    """Check `revision` out at `tree`, with its submodules by default, and remove it again however this is left.

    Leftovers of a killed process are removed first. No other process may use `tree` meanwhile.

    Raises:
        GuardError: it cannot be checked out, or a submodule cannot be fetched.

    """
    remove_worktree(repository, tree)
    if os.path.lexists(tree):
        raise GuardError(f"{printable(tree)}: an earlier run's checkout cannot be removed; delete it by hand")
    try:
        # Force, because a missing path that is still registered blocks nothing.
        added = run_git(repository.root, "worktree", "add", "--force", "--detach", tree, revision.commit)
        if added.problem:
            hint = " (is the disk full?)" if added.problem.startswith("unable to write") else ""
            raise GuardError(f"{revision.label}: cannot be checked out: {added.problem}{hint}")
        if has_submodules and os.path.isfile(os.path.join(tree, ".gitmodules")):
            fetched = run_git(tree, "submodule", "update", "--init", "--recursive")
            if fetched.problem:
                raise GuardError(f"{revision.label}: a submodule cannot be fetched: {fetched.problem}")
        yield
    finally:
        remove_worktree(repository, tree)


def copy_own_files(root: str, tree: str) -> None:
    """Make `tree`, a worktree of the same repository as `root`, hold the files of `root` that git does not ignore."""
    wanted = {path for path in unignored_files(root) if _is_copied(os.path.join(root, path))}
    for path in set(unignored_files(tree)) - wanted:
        _unlink(os.path.join(tree, path))
    for path in sorted(wanted):
        place = os.path.join(tree, path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        # A link of the revision's is not written through.
        _unlink(place)
        shutil.copy2(os.path.join(root, path), place, follow_symlinks=False)


def _is_copied(path: str) -> bool:
    return os.path.islink(path) or os.path.isfile(path)


def _unlink(path: str) -> None:
    """Remove the file or folder at a path, if there is one."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def remove_worktree(repository: Repository, tree: str) -> None:
    """Remove a worktree and its record in git; either may be missing."""
    shutil.rmtree(tree, ignore_errors=True)
    # A worktree of this path only: pruning would take others along whose disk is not mounted just now.
    run_git(repository.root, "worktree", "remove", "--force", "--force", tree)


def _hint(repository: Repository, name: str) -> str:
    import difflib

    kinds = ("refs/heads", "refs/remotes", "refs/tags")
    listed = run_git(repository.root, "for-each-ref", "--format=%(refname:short)", *kinds)
    known = [line for line in listed.text.splitlines() if line]
    if not known:
        return ": this repository has no commit yet"
    near = [f"origin/{name}"] if f"origin/{name}" in known else difflib.get_close_matches(name, known, n=3)
    return f"; did you mean {' or '.join(map(printable, near))}?" if near else "; `git fetch` brings those of a remote"


def _paths(text: str) -> list[str]:
    return sorted({path for path in text.split("\0") if path})


def _shown(path: str) -> str:
    return printable(os.path.abspath(path))
