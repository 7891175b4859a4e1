"""Evict a tree's files from the system's cache, file by file, which needs no privileges and affects no other files."""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from typing import TYPE_CHECKING

from aether_harness import BenchError
from aether_pack_bench.manifest import open_file
from aether_pack_bench.trees.walk import os_error_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_pack_bench.trees.walk import Entry

#: The number of files to check after the eviction.
PROBED_FILES = 16


def check_evictable(entries: Sequence[Entry]) -> None:
    """Flush the files, take them out of the cache, and make sure that they went.

    Raises:
        BenchError: this system cannot evict files, or they stay: their file system is in memory, or they are in use.

    """
    if sys.platform != "linux":
        raise BenchError("pack.cache=cold: only Linux drops single files from its cache")
    evict(entries, flush=True)
    files = [entry.location for entry in entries if entry.kind == "file"]
    for location in files[:: max(1, len(files) // PROBED_FILES)]:
        if cached_pages(location):
            raise BenchError(f"pack.cache=cold: {location} stays in the cache: is its file system in memory?")


def evict(entries: Sequence[Entry], *, flush: bool = False) -> None:
    """Evict the content of files from the cache. Folders and attributes stay in it.

    Raises:
        BenchError: a file cannot be opened or flushed.

    """
    if sys.platform != "linux":
        return
    for entry in entries:
        if entry.kind != "file":
            continue
        descriptor = open_file(entry.location)
        try:
            if flush:
                os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        except OSError as error:
            raise BenchError(f"{entry.location}: {os_error_text(error)}") from None
        finally:
            os.close(descriptor)


def cached_pages(location: str) -> int:
    """Return how many pages of a file are in the cache.

    Raises:
        BenchError: the file cannot be opened or mapped.

    """
    descriptor = open_file(location)
    try:
        size = os.fstat(descriptor).st_size
        if size == 0:
            return 0
        # A private mapping, which is never written, is the only one whose address ctypes reveals.
        with mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY) as mapped:
            pages = (ctypes.c_ubyte * -(-size // mmap.PAGESIZE))()
            start = ctypes.c_char.from_buffer(mapped)
            failed = ctypes.CDLL(None, use_errno=True).mincore(ctypes.byref(start), ctypes.c_size_t(size), pages)
            del start
        if failed:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return sum(page & 1 for page in pages)
    except OSError as error:
        raise BenchError(f"{location}: {os_error_text(error)}") from None
    finally:
        os.close(descriptor)
