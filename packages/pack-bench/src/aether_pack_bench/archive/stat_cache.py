"""What the last packing saw of a tree's files, by which the next one tells those that it need not read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from aether_pack_bench.manifest import ManifestEntry

if TYPE_CHECKING:
    import os

#: A system's times of files are coarser than its clock, up to a tick of 10 ms: what was written so shortly before a
#: packing began may have been written again without a trace, as git knows it of its index ("racily clean").
TICK_NS = 20_000_000


class FileStamp(Struct, frozen=True, gc=False):
    """By what a file is known again: its size, its times (contents, and anything about it), and its inode."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class StatCache(Struct, frozen=True):
    """The files of a tree by path, as they were when the packing began at `started_ns` after the epoch."""

    started_ns: int
    files: dict[str, tuple[FileStamp, ManifestEntry]] = {}

    def remember(self, path: str, status: os.stat_result, item: ManifestEntry) -> None:
        """Keep what was seen of a file, unless it is too young to be told from a later one."""
        stamp = stamp_of(status)
        if max(stamp.mtime_ns, stamp.ctime_ns) < self.started_ns - TICK_NS:
            self.files[path] = (stamp, item)

    def lookup(self, path: str, status: os.stat_result) -> ManifestEntry | None:
        """Return a file's item if it is the file that was packed."""
        known = self.files.get(path)
        return known[1] if known is not None and known[0] == stamp_of(status) else None


def stamp_of(status: os.stat_result) -> FileStamp:
    """Return the stamp of a file with this status."""
    return FileStamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
