"""Reading a tree's files for an archive: once, hashed on the way, and known to have held still."""

from __future__ import annotations

import hashlib
import os
import stat
from time import perf_counter_ns
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_harness import BenchError
from aether_pack_bench.manifest import open_file
from aether_pack_bench.trees.walk import os_error_text

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A file up to this size is read in one go, ahead of the archive; a larger one in pieces, when its turn has come.
WHOLE_BYTES = 64 * 2**10
PIECE_BYTES = 128 * 2**10


class HashedFile(Struct, frozen=True):
    """A file that was read whole, and how long that took. Its times are added up over threads."""

    data: bytes
    sha256: str
    status: os.stat_result
    read_ns: int
    hash_ns: int


class FileData(Struct, frozen=True):
    """A file that was read whole and is not hashed yet."""

    data: bytes
    status: os.stat_result
    read_ns: int

    def hashed(self) -> HashedFile:
        """Hash it."""
        started = perf_counter_ns()
        sha256 = hashlib.sha256(self.data).hexdigest()
        return HashedFile(self.data, sha256, self.status, self.read_ns, perf_counter_ns() - started)


def read_whole(location: str) -> FileData | None:
    """Read a file; return None where it is too large to be read in one go.

    Raises:
        BenchError: it cannot be read, or changed meanwhile; the message names it.

    """
    started = perf_counter_ns()
    descriptor = open_file(location)
    try:
        before = os.fstat(descriptor)
        if before.st_size > WHOLE_BYTES:
            return None
        # One byte more than expected: the end of the file is verified by the same read.
        data = os.read(descriptor, before.st_size + 1)
        check_unchanged(location, before, os.fstat(descriptor), len(data))
    except OSError as error:
        raise BenchError(f"{location}: {os_error_text(error)}") from None
    finally:
        os.close(descriptor)
    return FileData(data, before, perf_counter_ns() - started)


class LargeFile:
    """A file read piece by piece. Its digest and times are known when the last piece was taken."""

    def __init__(self, location: str) -> None:
        """Open the file and see how long it is.

        Raises:
            BenchError: it cannot be opened.

        """
        started = perf_counter_ns()
        self._location = location
        self._descriptor = open_file(location)
        self.status = os.fstat(self._descriptor)
        self._digest = hashlib.sha256()
        self.size = self.status.st_size
        self.read_ns = perf_counter_ns() - started
        self.hash_ns = 0

    @property
    def sha256(self) -> str:
        """The digest of the bytes that were read so far."""
        return self._digest.hexdigest()

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)

    def pieces(self) -> Iterator[bytes]:
        """Yield the content of the file, and hash it.

        Raises:
            BenchError: it cannot be read, or changed meanwhile; the message names it.

        """
        taken = 0
        while taken <= self.size:
            started = perf_counter_ns()
            try:
                piece = os.read(self._descriptor, min(PIECE_BYTES, self.size + 1 - taken))
                taken += len(piece)
                if not piece or taken > self.size:
                    check_unchanged(self._location, self.status, os.fstat(self._descriptor), taken)
                    self.read_ns += perf_counter_ns() - started
                    return
            except OSError as error:
                raise BenchError(f"{self._location}: {os_error_text(error)}") from None
            read = perf_counter_ns()
            self._digest.update(piece)
            self.read_ns += read - started
            self.hash_ns += perf_counter_ns() - read
            yield piece


def check_unchanged(location: str, before: os.stat_result, after: os.stat_result, read_bytes: int) -> None:
    """Check that the file did not change since it was opened.

    Raises:
        BenchError: it grew, shrank or was written to.

    """
    if read_bytes > before.st_size:
        raise BenchError(f"{location}: became longer while it was packed")
    if read_bytes < before.st_size:
        raise BenchError(f"{location}: became shorter while it was packed")
    if after.st_mtime_ns != before.st_mtime_ns:
        raise BenchError(f"{location}: was written to while it was packed")


def status_of(location: str) -> os.stat_result:
    """Return the attributes of a file of the tree, without opening it.

    Raises:
        BenchError: it has gone.

    """
    try:
        return os.lstat(location)
    except OSError as error:
        raise BenchError(f"{location}: {os_error_text(error)}") from None


def is_executable(status: os.stat_result) -> bool:
    """Return whether the owner of a file may execute it."""
    return bool(status.st_mode & stat.S_IXUSR)
