"""Scratch folders for the files of a measurement, removed even if the process that made them is killed.

Each folder has a lock file next to it, held by the process that made the folder. The folders of a killed process are no
longer locked, and the next process that makes a folder in the same place removes them.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING

from aether_harness.machine.file_lock import acquire
from aether_harness.machine.signals import held_back

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

_PREFIX = "aether-"
_SUFFIX = ".lock"


@contextmanager
def scratch_folder() -> Iterator[str]:
    """Make a folder, and remove it with its content at the end.

    Raises:
        OSError: the folder cannot be made.

    """
    place = tempfile.gettempdir()
    _sweep(place)
    folder = os.path.join(place, f"{_PREFIX}{secrets.token_hex(8)}")
    lock = None
    try:
        with held_back():
            while lock is None:  # another process may remove the file before it is locked
                lock = acquire(folder + _SUFFIX)
            os.mkdir(folder, 0o700)
        yield folder
    finally:
        with held_back():
            if lock is not None:
                _remove(folder, lock)


@cache
def _sweep(place: str) -> None:
    """Remove the folders that killed processes of this user left behind, once per process."""
    names: list[str] = []
    with suppress(OSError):  # a folder that cannot be listed may still be writable
        names += os.listdir(place)
    for name in names:
        if name.startswith(_PREFIX) and name.endswith(_SUFFIX):
            path = os.path.join(place, name)
            with suppress(OSError):  # another process is removing it, or another user owns it
                if _is_own(path) and (lock := acquire(path, "rb+")) is not None:
                    _remove(path.removesuffix(_SUFFIX), lock)


def _is_own(path: str) -> bool:
    status = os.lstat(path)
    return not os.path.islink(path) and (not hasattr(os, "getuid") or status.st_uid == os.getuid())


def _remove(folder: str, lock: IO[bytes]) -> None:
    """Remove a folder and then its lock file.

    On POSIX the lock is held until both are gone. Elsewhere an open file cannot be removed, so it is closed first.
    """
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
    """Restore this user's permission to remove the content of `folder` and of the folders below it."""
    with suppress(OSError):
        os.chmod(folder, 0o700)
    for parent, names, _ in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            with suppress(OSError):
                if not os.path.islink(path):
                    os.chmod(path, 0o700)
