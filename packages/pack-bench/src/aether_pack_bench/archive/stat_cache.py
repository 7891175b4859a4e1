"""The attributes of a tree's files at the last packing, by which the next one skips unchanged files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from aether_pack_bench.manifest import ManifestEntry

if TYPE_CHECKING:
    import os

#: File times are coarser than the clock, by up to a tick of 10 ms: a file that was written this shortly before a
#: packing began may have been written again without a trace ("racily clean" in git's index).
TICK_NS = 20_000_000


class FileStamp(Struct, frozen=True, gc=False):
    """The attributes that identify an unchanged file: size, times (content and metadata) and inode."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class StatCache(Struct, frozen=True):
    """The files of a tree by path, as they were when the packing began at `started_ns` after the epoch."""

    started_ns: int
    files: dict[str, tuple[FileStamp, ManifestEntry]] = {}

    def remember(self, path: str, status: os.stat_result, item: ManifestEntry) -> None:
        """Remember a file, unless it is too young to be distinguished from a later version."""
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
