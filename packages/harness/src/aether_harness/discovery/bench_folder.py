"""Find the bench files of a folder, without importing any."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from aether_harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FILES_LIMIT = 10_000
#: A larger file defines no benches by hand.
SIZE_LIMIT_BYTES = 2**20
_IMPORT = re.compile(rb"^\s*(from|import)\s+aether_harness\b", re.MULTILINE)
_DECORATOR = re.compile(rb"^@.*\bbench\b", re.MULTILINE)
#: Folders with the code of others.
_FOREIGN = frozenset({"node_modules", "site-packages", "__pycache__", "venv", "build", "dist", "target"})


def expand_folders(names: Iterable[str]) -> Iterator[str]:
    """Yield the names, and in place of a folder its bench files, which may also be named like a bench.

    Raises:
        UsageError: a path does not exist, or a folder holds more than FILES_LIMIT Python files or no bench file.

    """
    for name in names:
        files = bench_files(name) if os.path.isdir(name) else []
        if not files and os.path.isdir(name) and os.path.basename(name) != name:
            raise UsageError(f"{name}: no file in this folder has a function under @bench")
        if name.startswith((".", os.sep)) and not os.path.exists(name.partition("::")[0]):
            raise UsageError(f"{name}: no such file or folder")
        yield from files or [name]


def bench_files(folder: str) -> list[str]:
    """Return the Python files below `folder` with a function under `@bench`, in order.

    Raises:
        UsageError: there are more than FILES_LIMIT Python files.

    """
    found: list[str] = []
    count = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _FOREIGN and not name.startswith("."))
        for name in sorted(names):
            if not name.endswith(".py"):
                continue
            count += 1
            if count > FILES_LIMIT:
                raise UsageError(f"{folder}: more than {FILES_LIMIT:,} Python files; name a folder below it")
            if _defines_benches(path := os.path.join(place, name)):
                found.append(path)
    return found


def _defines_benches(path: str) -> bool:
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > SIZE_LIMIT_BYTES:
            return False
        with open(path, "rb") as file:
            text = file.read()
    except OSError:
        return False
    return _IMPORT.search(text) is not None and _DECORATOR.search(text) is not None
