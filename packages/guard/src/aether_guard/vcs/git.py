"""Run git without prompts, hooks or background processes."""

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
    # A file system watcher would be started for a new worktree and keep running.
    "core.fsmonitor=false",
    "gc.auto=0",
    "maintenance.auto=false",
    # A separate step checks out submodules and reports their errors.
    "submodule.recurse=false",
    "advice.detachedHead=false",
)


class GitResult(Struct, frozen=True, kw_only=True):
    """Output of git: `text` with its trailing newline, and `problem`, one line if git failed, else empty."""

    text: str
    problem: str

    @property
    def line(self) -> str:
        """The text without its newline; empty if git failed."""
        return "" if self.problem else self.text.removesuffix("\n")


def run_git(
    folder: str, *arguments: str, starting: Callable[[], AbstractContextManager[object]] = nullcontext
) -> GitResult:
    """Run git in `folder`; `starting` is passed to `run_command`.

    Raises:
        GuardError: git is not installed, or the folder cannot be entered.

    """
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    done = run_command(["git", *settings, *arguments], folder=folder, changes=_ENVIRONMENT, starting=starting)
    problem = error_line(done.stderr or done.stdout) if done.returncode else ""
    return GitResult(text=os.fsdecode(done.stdout), problem=problem)
