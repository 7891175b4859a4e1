"""Files that one process at a time holds, and that are free when it has ended, however it ended."""

from __future__ import annotations

import os
import sys
from typing import IO


def acquire(path: str, mode: str = "ab") -> IO[bytes] | None:
    """Return the lock file at `path`, held until it is closed or this process ends, or None while another has it.

    Raises:
        OSError: it cannot be opened in this `mode`.

    """
    file: IO[bytes] = open(path, mode)  # noqa: SIM115 - the caller closes it
    try:
        if _lock(file) and _is_at(file, path):
            return file
    except BaseException:
        file.close()
        raise
    file.close()
    return None


def _is_at(file: IO[bytes], path: str) -> bool:
    """Return whether the file is still the one at `path`, not one that was removed before it was locked."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _lock(file: IO[bytes]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
