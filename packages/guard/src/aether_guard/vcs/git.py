"""Asking git, in such a way that it asks nobody, runs no hook and leaves no process behind."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_guard.vcs.run import error_line, run_command

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

_ENVIRONMENT = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
_SETTINGS = (
    "core.hooksPath=/dev/null",
    # A watcher would be started for the new worktree and stay.
    "core.fsmonitor=false",
    "gc.auto=0",
    "maintenance.auto=false",
    # Submodules are checked out by a step of its own, which says what went wrong with one.
    "submodule.recurse=false",
    "advice.detachedHead=false",
)


class GitResult(Struct, frozen=True, kw_only=True):
    """What git said: `text` with its trailing newline, and in `problem` one line where it failed, else nothing."""

    text: str
    problem: str

    @property
    def line(self) -> str:
        """The text without its newline; empty where git failed."""
        return "" if self.problem else self.text.removesuffix("\n")


def run_git(
    folder: str, *arguments: str, starting: Callable[[], AbstractContextManager[object]] = nullcontext
) -> GitResult:
    """Run git in `folder`, started as `run_command` does, and return its answer.

    Raises:
        GuardError: git is not installed, or the folder cannot be entered.

    """
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    done = run_command(["git", *settings, *arguments], folder=folder, changes=_ENVIRONMENT, starting=starting)
    problem = error_line(done.stderr or done.stdout) if done.returncode else ""
    return GitResult(text=os.fsdecode(done.stdout), problem=problem)
