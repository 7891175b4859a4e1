"""Packing a tree: one pass that reads each file once, hashes it and writes it to a reproducible archive."""

from __future__ import annotations

from contextlib import closing, nullcontext
from functools import partial
from threading import Lock
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_harness import BenchError
from aether_pack_bench.archive.atomic_file import replace_file, write_all
from aether_pack_bench.archive.file_reader import FileData, HashedFile, LargeFile, is_executable, read_whole, status_of
from aether_pack_bench.archive.stat_cache import StatCache
from aether_pack_bench.archive.tar_header import end_of_archive, padding, tar_header
from aether_pack_bench.codecs.deflate import gzip_packer
from aether_pack_bench.codecs.packer import resolve_level
from aether_pack_bench.manifest import Manifest, ManifestEntry, link_target, manifest_entry, manifest_of, write_manifest
from aether_pack_bench.prefetch import map_ordered
from aether_pack_bench.trees.walk import Entry, decode_name, os_error_text, walk

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager

    from aether_pack_bench.codecs.packer import Compressor, Packer


class Packed(Struct, frozen=True, kw_only=True):
    """The manifest of a packing, and the duration of each phase in nanoseconds.

    `walk` lists the tree, `read` opens and reads its files, `hash` hashes them, `tar` makes headers and joins all to
    blocks, `compress` compresses these, `write` writes the result, `manifest` digests it and writes the manifest. With
    several threads their times are added and may exceed the elapsed time.
    """

    manifest: Manifest
    phases_ns: dict[str, int]
    record: StatCache | None = None


def pack(  # noqa: PLR0913 - from where, to where, and how
    root: str,
    artifact: str,
    manifest_path: str,
    *,
    packer: Packer = gzip_packer,
    level: int | None = None,
    threads: int = 1,
    ignore: str | None = None,
    previous: StatCache | None = None,
    keep_stats: bool = False,
) -> Packed:
    """Pack the folder `root` into the file `artifact`, a compressed tar, and write its manifest.

    The same tree gives the same bytes: order, times, owners and modes are fixed, except for the execute permission. The
    compressed bytes depend on the packer's library. Threads read and hash ahead, others compress behind, at most some
    blocks apart.

    Files that did not change since the `previous` packing are not read: the manifest keeps their old entries, and the
    artifact leaves them out. Unpacked over the earlier artifact, it gives the tree of the manifest, apart from removed
    files. With `keep_stats` the attributes of each file are kept for a next packing.

    Raises:
        BenchError: something in the tree cannot be read, or changed while it was; the artifact or the manifest
            cannot be written; the packer has no such level. The message names which. No file is left behind.

    """
    level = resolve_level(packer, level)
    record = StatCache(time_ns()) if keep_stats else None
    started = perf_counter_ns()
    entries = walk(root, ignore)
    walked = perf_counter_ns()
    try:
        with (
            replace_file(artifact) as raw,
            closing(packer.open(partial(write_all, raw), level=level, threads=threads)) as compressor,
        ):
            archive = _TarWriter(compressor, packer.block_bytes, record)
            read_lock = Lock() if threads > 1 else nullcontext()
            with map_ordered(entries, partial(_read_all, previous, read_lock), threads) as batches:
                for batch in batches:
                    archive.add_all(batch)
            archive.finish()
    except OSError as error:
        raise BenchError(f"{artifact}: {os_error_text(error)}") from None
    archived = perf_counter_ns()
    manifest = manifest_of(archive.items)
    try:
        write_manifest(manifest_path, manifest)
    except OSError as error:
        raise BenchError(f"{manifest_path}: {os_error_text(error)}") from None
    phases_ns = {
        "walk": walked - started,
        "read": archive.read_ns,
        "hash": archive.hash_ns,
        "tar": archive.tar_ns,
        "compress": compressor.compress_ns,
        "write": compressor.write_ns,
        "manifest": perf_counter_ns() - archived,
    }
    return Packed(manifest=manifest, phases_ns=phases_ns, record=record)


#: A small file's contents, the item of a file that has not changed, or nothing.
Seen = HashedFile | ManifestEntry | None
#: An entry, with the attributes of a file.
ReadEntry = tuple[Entry, Seen]
READ_BATCH_BYTES = 512 * 2**10


def _read_all(
    previous: StatCache | None, read_lock: AbstractContextManager[object], entries: Sequence[Entry]
) -> list[ReadEntry]:
    """Read a batch of files and hash them.

    Threads take turns at reading and hash in parallel: a small file is a handful of system calls, after each of which
    two threads would only wake each other. This number of bytes per turn is hashed while it is in the processor's
    cache.
    """
    looked: list[ReadEntry] = []
    left = iter(entries)
    while True:
        held: list[tuple[Entry, FileData | ManifestEntry | None]] = []
        with read_lock:
            held_bytes = 0
            for entry in left:
                raw = _seen(previous, entry) if entry.kind == "file" else None
                held.append((entry, raw))
                if isinstance(raw, FileData):
                    held_bytes += len(raw.data)
                    if held_bytes >= READ_BATCH_BYTES:
                        break
        if not held:
            return looked
        looked += [(entry, raw.hashed() if isinstance(raw, FileData) else raw) for entry, raw in held]


def _seen(previous: StatCache | None, entry: Entry) -> FileData | ManifestEntry | None:
    if previous is not None and (unchanged := previous.lookup(entry.path, status_of(entry.location))) is not None:
        return unchanged
    return read_whole(entry.location)


class _TarWriter:
    """A tar that goes to a compressor in blocks of its size."""

    def __init__(self, compressor: Compressor, block_bytes: int, record: StatCache | None) -> None:
        self.items: list[ManifestEntry] = []
        self.read_ns = 0
        self.hash_ns = 0
        self.tar_ns = 0
        self._compressor = compressor
        self._record = record
        self._block_bytes = block_bytes
        self._pieces: list[bytes | memoryview] = []
        self._held_bytes = 0
        self._size = 0

    def add_all(self, entries: Iterable[ReadEntry]) -> None:
        """Add entries, with the attributes of files."""
        for entry, content in entries:
            if isinstance(content, ManifestEntry):
                self.items.append(content)
                continue
            if entry.kind == "file" and content is None:
                self._add_large(entry)
                continue
            started = perf_counter_ns()
            if content is None:
                link = decode_name(link_target(entry.location)) if entry.kind == "link" else ""
                handed_ns = self._put(tar_header(entry.path, entry.kind, link=link))
                self.items.append(manifest_entry(entry))
            else:
                size = len(content.data)
                header = tar_header(entry.path, "file", size=size, executable=is_executable(content.status))
                handed_ns = self._put(header, content.data, padding(size))
                self._add_item(entry, content.status, manifest_entry(entry, size=size, sha256=content.sha256))
                self.read_ns += content.read_ns
                self.hash_ns += content.hash_ns
            self.tar_ns += perf_counter_ns() - started - handed_ns

    def finish(self) -> None:
        """Add the end of the tar, and pass on the rest."""
        self._put(end_of_archive(self._size))
        self._compressor.finish(b"".join(self._pieces))

    def _add_large(self, entry: Entry) -> None:
        started = perf_counter_ns()
        with closing(LargeFile(entry.location)) as file:
            handed_ns = self._put(tar_header(entry.path, "file", size=file.size, executable=is_executable(file.status)))
            for piece in file.pieces():
                handed_ns += self._put(piece)
            handed_ns += self._put(padding(file.size))
            self._add_item(entry, file.status, manifest_entry(entry, size=file.size, sha256=file.sha256))
        self.read_ns += file.read_ns
        self.hash_ns += file.hash_ns
        self.tar_ns += perf_counter_ns() - started - handed_ns - file.read_ns - file.hash_ns

    def _add_item(self, entry: Entry, status: os.stat_result, item: ManifestEntry) -> None:
        self.items.append(item)
        if self._record is not None:
            self._record.remember(entry.path, status, item)

    def _put(self, *pieces: bytes) -> int:
        """Add to the stream, and give the compressor every full block; return the nanoseconds that one took."""
        length = sum(map(len, pieces))
        self._pieces += pieces
        self._size += length
        self._held_bytes += length
        if self._held_bytes < self._block_bytes:
            return 0
        joined = memoryview(b"".join(self._pieces))
        handed_ns = 0
        while len(joined) >= self._block_bytes:
            block, joined = joined[: self._block_bytes], joined[self._block_bytes :]
            started = perf_counter_ns()
            self._compressor.add(block)
            handed_ns += perf_counter_ns() - started
        self._pieces, self._held_bytes = [joined], len(joined)
        return handed_ns
