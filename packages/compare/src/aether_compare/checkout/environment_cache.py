"""The folder that environments are kept in: an entry a key, used by one process at a time, the latest kept."""

from __future__ import annotations

import os
import shutil
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from aether_guard.errors import GuardError
from aether_harness.machine.file_lock import acquire
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: The number of entries to keep.
MAX_ENTRIES = 10
_LOCK_SUFFIX = ".lock"
_WAIT_INTERVAL_S = 0.1


def cache_folder(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> str:
    """Return the platform's folder for cached data of this user, in which environments are kept."""
    given = environ.get("LOCALAPPDATA" if platform == "win32" else "XDG_CACHE_HOME", "")
    usual = {"win32": os.path.join("AppData", "Local"), "darwin": os.path.join("Library", "Caches")}
    # The XDG base directory specification requires ignoring a relative path.
    base = given if os.path.isabs(given) else os.path.join(os.path.expanduser("~"), usual.get(platform, ".cache"))
    return os.path.join(os.path.realpath(base), "aether-guard", "ab")


@contextmanager
def locked_entry(cache: str, key: str, on_wait: Callable[[], None]) -> Iterator[str]:
    """Give the entry of `key`, a folder, to this process alone; `on_wait` is called once if another has it.

    Raises:
        GuardError: the cache cannot be written.

    """
    with translate_os_errors(cache):
        os.makedirs(cache, exist_ok=True)
        lock = acquire(_lock_path(cache, key))
        if lock is None:
            on_wait()
        while lock is None:
            time.sleep(_WAIT_INTERVAL_S)
            lock = acquire(_lock_path(cache, key))
    with lock:
        folder = os.path.join(cache, key)
        with translate_os_errors(cache):
            os.makedirs(folder, exist_ok=True)
            os.utime(folder)
        yield folder


@contextmanager
def try_lock(cache: str, key: str) -> Iterator[bool]:
    """Yield whether no process uses the entry of `key`. If so, no process can use it until the context ends."""
    lock = acquire(_lock_path(cache, key))
    if lock is None:
        yield False
        return
    with lock:
        yield True


def prune(cache: str, kept: int = MAX_ENTRIES) -> None:
    """Remove the entries used longest ago, so that `kept` stay; those in use stay in any case."""
    with os.scandir(cache) as found:
        folders = sorted((item for item in found if item.is_dir()), key=lambda item: item.stat().st_mtime, reverse=True)
    for folder in folders[kept:]:
        with try_lock(cache, folder.name) as is_free:
            if is_free:
                shutil.rmtree(folder.path, ignore_errors=True)
    for name in os.listdir(cache):
        key = name.removesuffix(_LOCK_SUFFIX)
        if key == name or os.path.isdir(os.path.join(cache, key)):
            continue
        with try_lock(cache, key) as is_free, suppress(OSError):  # an open file cannot be removed everywhere
            if is_free:
                os.unlink(os.path.join(cache, name))


@contextmanager
def translate_os_errors(cache: str) -> Iterator[None]:
    """Make an error of the file system the guard's own, in one line.

    Raises:
        GuardError: a permission is missing, the disk is full, or another operation in the context failed.

    """
    try:
        yield
    except OSError as error:
        place = printable(str(error.filename or cache))
        variable = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
        raise GuardError(
            f"{place}: {(error.strerror or str(error)).lower()}; environments are kept in {printable(cache)}, "
            f"{variable} moves them"
        ) from None


def _lock_path(cache: str, key: str) -> str:
    return os.path.join(cache, key + _LOCK_SUFFIX)
