"""Files that are written: whole under their name, or not there at all."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The suffix of a file until it is complete.
PART_SUFFIX = ".part"


@contextmanager
def replace_file(path: str) -> Iterator[BinaryIO]:
    """Open a file for unbuffered writing; at the end it is cut to the written length.

    An existing file is renamed, overwritten, and renamed back when it is complete. A reader in between, or after this
    process was killed, finds no file instead of a broken one. After a failed write there is no file either. A special
    file, such as a pipe, is written directly.

    It is written over in place since cutting a file to nothing first makes ext4 flush it when it is closed, and
    a new file in place of a removed one makes it search for an inode that was not freed of late: either costs up
    to a millisecond, and not always the same.
    """
    if _is_special(path):
        with open(path, "wb", buffering=0) as file:
            yield file
        return
    part = path + PART_SUFFIX
    with suppress(FileNotFoundError):
        os.replace(path, part)
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        with open(os.open(part, flags, 0o666), "wb", buffering=0) as file:
            yield file
            file.truncate()
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise


def write_all(file: BinaryIO, content: bytes | memoryview) -> None:
    """Write everything: one write to a file without a buffer may take less."""
    written = file.write(content)
    while written < len(content):
        content = memoryview(content)[written:]
        written = file.write(content)


def _is_special(path: str) -> bool:
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False
