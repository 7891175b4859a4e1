"""The commits of a history in git: their order, and their addresses on the web."""

from __future__ import annotations

import re

from aether_guard.errors import GuardError
from aether_guard.vcs.git import run_git


def commit_positions() -> dict[str, int]:
    """Return the commits of the repository here with their places, parents first; none outside of one."""
    try:
        listed = run_git(".", "rev-list", "--topo-order", "--reverse", "HEAD")
    except GuardError:
        return {}
    return {} if listed.problem else {commit: place for place, commit in enumerate(listed.text.split())}


def repository_url() -> str | None:
    """Return the web address of the repository here, made of its remote `origin`; None where there is none."""
    try:
        return web_address(run_git(".", "remote", "get-url", "origin").line)
    except GuardError:
        return None


def web_address(remote: str) -> str | None:
    """Return where people look at a remote of git, without any password in it; None for a path or another protocol."""
    found = re.fullmatch(
        r"(?:(?:https?|ssh|git)://(?:[^@/\s]*@)?|[\w.-]+@)([\w.-]+(?::\d+(?=/))?)[/:]([\w./~-]+?)(?:\.git)?/?", remote
    )
    if found is None:
        return None
    host = found[1] if remote.startswith("http") else found[1].partition(":")[0]
    return f"https://{host}/{found[2]}"
