"""The commit and branch of figures: by their own account, by the command line, or by git and the host."""

from __future__ import annotations

import contextlib
import os
from datetime import datetime
from typing import TYPE_CHECKING

from aether_guard.errors import GuardError
from aether_guard.vcs.git import run_git
from aether_history.row import DIRTY, Provenance, utc_text
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_schema import Summary

#: The branch as hosts of continuous integration name it; there a checkout often has none.
_BRANCH_VARIABLES = ("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_BRANCH", "BRANCH_NAME")


def provenance_of(summaries: Sequence[Summary], commit: str | None, branch: str | None) -> list[Provenance]:
    """Return where each summary comes from.

    `commit` and `branch` override the detected ones; a summary's own commit overrides that of the working folder.
    Without git, or outside a repository, they are unknown unless given.

    Raises:
        GuardError: `commit` is given, here is a repository, and it has no such revision.

    """
    has_git = bool(_line("rev-parse", "--git-dir"))
    if commit and has_git and not _line("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}"):
        raise GuardError(f"{printable(commit)}: no such revision here; name one, or leave --commit out")
    branch = branch or next(filter(None, map(os.environ.get, _BRANCH_VARIABLES)), None)
    if not branch and has_git:
        branch = _line("symbolic-ref", "--quiet", "--short", "HEAD")
    known: dict[str, Provenance] = {}
    origins = []
    for summary in summaries:
        name = commit or summary.commit or ("HEAD" if has_git else "")
        if name not in known:
            known[name] = _origin(name, branch or None, has_git=has_git)
        origins.append(known[name])
    return origins


def _origin(name: str, branch: str | None, *, has_git: bool) -> Provenance:
    clean = name.removesuffix(DIRTY)
    if has_git and clean and not clean.startswith("-"):
        full, _, moment = _line("log", "-1", "--format=%H %cI", "--end-of-options", clean, "--").partition(" ")
        if full:
            made = utc_text(datetime.fromisoformat(moment))
            return Provenance(commit=full + name[len(clean) :], commit_time=made, branch=branch)
    return Provenance(commit=name or None, branch=branch)


def _line(*arguments: str) -> str:
    with contextlib.suppress(GuardError):  # without git nothing is known
        return run_git(".", *arguments).line
    return ""
