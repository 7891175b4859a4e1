"""Trees of files: walking them, always in the same order."""

from __future__ import annotations

import os
from typing import Literal

from msgspec import Struct

from aether_harness import BenchError
from aether_pack_bench.trees.ignore import Rules, is_ignored, rules_of

Kind = Literal["file", "link", "folder"]


class Entry(Struct, frozen=True, gc=False):
    """One thing in a tree: its path below the root, with slashes, and where it really is."""

    path: str
    location: str
    kind: Kind


def walk(root: str, ignore: str | None = None) -> list[Entry]:
    """Return everything below the folder `root`, a folder before its content, names in byte order.

    Links are entries and are never followed. Files named `ignore`, in any of the folders, exclude others.

    Raises:
        BenchError: a folder cannot be read, or holds something that is no file, folder or link.

    """
    entries: list[Entry] = []
    pending: list[tuple[Entry, Rules | None]] = []
    _push(pending, root, "", ignore, None)
    while pending:
        entry, rules = pending.pop()
        entries.append(entry)
        if entry.kind == "folder":
            _push(pending, entry.location, entry.path + "/", ignore, rules)
    return entries


def os_error_text(error: OSError) -> str:
    """Return the system's words for an error, without the path."""
    return (error.strerror or str(error)).lower()


def _push(
    pending: list[tuple[Entry, Rules | None]], location: str, prefix: str, ignore: str | None, rules: Rules | None
) -> None:
    """Push the content of a folder on the stack, last name first."""
    try:
        with os.scandir(location) as found:
            children = sorted(found, key=_name_in_bytes, reverse=True)
        if ignore is not None and any(child.name == ignore and child.is_file() for child in children):
            where = os.path.join(location, ignore)
            with open(where, encoding="utf-8", errors="surrogateescape") as file:
                rules = rules_of(file.read(), where, prefix, rules)
        for child in children:
            path = prefix + decode_name(child.name)
            if rules is None or not is_ignored(rules, path, folder=child.is_dir(follow_symlinks=False)):
                pending.append((Entry(path, child.path, _kind(child)), rules))
    except OSError as error:
        raise BenchError(f"{error.filename or location}: {os_error_text(error)}") from None


def decode_name(name: str) -> str:
    """Return the name decoded as UTF-8, independent of this process's encoding of file names."""
    return name if name.isascii() else os.fsencode(name).decode("utf-8", "surrogateescape")


def _kind(child: os.DirEntry[str]) -> Kind:
    if child.is_symlink():
        return "link"
    if child.is_file(follow_symlinks=False):
        return "file"
    if child.is_dir(follow_symlinks=False):
        return "folder"
    raise BenchError(f"{child.path}: not a file, folder or link")


def _name_in_bytes(entry: os.DirEntry[str]) -> bytes:
    return os.fsencode(entry.name)
