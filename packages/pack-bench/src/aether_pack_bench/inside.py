"""What keeps an artifact in the folder it is unpacked into, and how a file is written there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

from aether_harness import BenchError

if TYPE_CHECKING:
    from collections.abc import Callable

_PIECE_BYTES = 2**20
_ZEROS = bytes(_PIECE_BYTES)


def require_inside(path: str, folder: str) -> None:
    """Make sure that what an artifact calls `path` comes to lie in `folder`, given what is there already.

    Raises:
        BenchError: it is absolute, goes to a parent folder, or leads through a link out of it.

    """
    if leads_out(path):
        raise BenchError(f"the artifact holds {path}, a path out of the folder it is unpacked into")
    # Links may point anywhere, as in the tree; nothing may be written through one.
    top = os.path.realpath(folder)
    if os.path.commonpath([top, os.path.realpath(os.path.join(top, path))]) != top:
        raise BenchError(f"the artifact holds {path}, which leads through a link out of its folder")


def leads_out(path: str) -> bool:
    """Say whether a path is absolute, on any system, or goes to a parent folder."""
    parts = path.replace("\\", "/").split("/") if os.name == "nt" else path.split("/")
    return path.startswith("/") or ".." in parts or (os.name == "nt" and ":" in parts[0])


def write_sparse(file: BinaryIO, read: Callable[[int], bytes]) -> int:
    """Write what `read` gives, a piece at a time until it is empty, and leave holes where there are only zeros.

    Return how much it was. A sparse file, of whatever size, is so unpacked into one.
    """
    size = 0
    while piece := read(_PIECE_BYTES):
        size += len(piece)
        if piece == _ZEROS[: len(piece)]:
            file.seek(len(piece), os.SEEK_CUR)
        else:
            file.write(piece)
    file.truncate(size)
    return size
