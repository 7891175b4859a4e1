"""Installed packages of both sides: a newer library on one side is a change as well."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from aether_compare.vcs.run import run_command
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN = 5


def installed_versions(uv: str, python: str) -> dict[str, str]:
    """Return the version of every package in an environment; those that lie in a tree are not among them."""
    done = run_command((uv, "pip", "freeze", "--python", python), folder=os.path.dirname(python), changes={})
    lines = done.stdout.decode(errors="replace").splitlines()
    return {name: version for name, mark, version in (line.partition("==") for line in lines) if mark}


def describe_difference(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """Return in a few words where the new side's packages differ from the old one's, or nothing."""
    changed = [
        f"{name} {old.get(name, 'none')} -> {new.get(name, 'none')}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]
    more = [f"{len(changed) - _SHOWN} more"] if len(changed) > _SHOWN else []
    return printable(", ".join(changed[:_SHOWN] + more))
