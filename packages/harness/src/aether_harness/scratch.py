"""Folders for what is written while measuring, none of which outlives the process that made it for long.

Next to each lies a lock file, which its process holds. What a killed process has left is not locked any more, and goes
when the next process makes a folder in the same place.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING

from aether_harness.interrupt import held_back
from aether_harness.lock import acquire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

_PREFIX = "aether-"
_SUFFIX = ".lock"


@contextmanager
def scratch_folder() -> Iterator[str]:
    """Make a folder, and remove it at the end, whatever lies in it.

    Raises:
        OSError: there is no place for it.

    """
    place = tempfile.gettempdir()
    _sweep(place)
    folder = os.path.join(place, f"{_PREFIX}{secrets.token_hex(8)}")
    lock = None
    try:
        with held_back():
            while lock is None:  # another process may sweep a file that is not locked yet
                lock = acquire(folder + _SUFFIX)
            os.mkdir(folder, 0o700)
        yield folder
    finally:
        with held_back():
            if lock is not None:
                _remove(folder, lock)


@cache
def _sweep(place: str) -> None:
    """Remove what killed processes of this user have left, once in this process's life."""
    names: list[str] = []
    with suppress(OSError):  # where nobody may look, folders can be made all the same
        names += os.listdir(place)
    for name in names:
        if name.startswith(_PREFIX) and name.endswith(_SUFFIX):
            path = os.path.join(place, name)
            with suppress(OSError):  # another process removes it, or it is another user's
                if _is_own(path) and (lock := acquire(path, "rb+")) is not None:
                    _remove(path.removesuffix(_SUFFIX), lock)


def _is_own(path: str) -> bool:
    status = os.lstat(path)
    return not os.path.islink(path) and (not hasattr(os, "getuid") or status.st_uid == os.getuid())


def _remove(folder: str, lock: IO[bytes]) -> None:
    """Remove a folder and then its lock file, which is held until both are gone where an open file can be removed."""
    with lock:
        shutil.rmtree(folder, ignore_errors=True)
        if os.path.isdir(folder):
            _allow(folder)
            shutil.rmtree(folder, ignore_errors=True)
        if os.name == "posix":
            _unlink(lock.name)
    if os.name != "posix":
        _unlink(lock.name)


def _unlink(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)


def _allow(folder: str) -> None:
    """Give this user back what was taken from the folders in `folder`: the permission to remove what they hold."""
    with suppress(OSError):
        os.chmod(folder, 0o700)
    for parent, names, _ in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            with suppress(OSError):
                if not os.path.islink(path):
                    os.chmod(path, 0o700)
