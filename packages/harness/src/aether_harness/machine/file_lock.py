"""Lock files, each held by one process at a time and released when that process ends for any reason."""

from __future__ import annotations

import os
import sys
from typing import IO


def acquire(path: str, mode: str = "ab") -> IO[bytes] | None:
    """Return the lock file at `path`, or None while another process holds it.

    The lock is held until the file is closed or this process ends.

    Raises:
        OSError: the file cannot be opened in `mode`.

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
    """Return whether the file is still at `path`: another process may have removed it before it was locked."""
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
