"""Packing a tree: one pass that reads each file once, hashes it and writes it to a reproducible tar.gz."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import tarfile
from time import perf_counter_ns
from typing import TYPE_CHECKING, cast

from msgspec import Struct

from aether_harness import BenchError
from aether_pack_bench.manifest import (
    CHUNK_BYTES,
    Item,
    Manifest,
    item_of,
    link_target,
    manifest_of,
    open_file,
    overwriting,
    write_manifest,
)
from aether_pack_bench.tree import Entry, as_utf8, reason, walk

if TYPE_CHECKING:
    from typing import IO

FIXED_TIME = 0
FOLDER_MODE = 0o755
EXECUTABLE_MODE = 0o755
FILE_MODE = 0o644


class Packed(Struct, frozen=True, kw_only=True):
    """What was packed, and how long each part of it took, in nanoseconds.

    `walk` lists the tree, `hash` opens, reads and hashes, `manifest` digests the whole and writes the
    manifest, `archive` is all the rest: tar headers, compression, writing.
    """

    manifest: Manifest
    phases_ns: dict[str, int]


class _HashingReader:
    """Reads a file for the archive, hashing what passes and keeping the time that takes."""

    def __init__(self, descriptor: int, location: str) -> None:
        self.digest = hashlib.sha256()
        self.elapsed_ns = 0
        self._descriptor = descriptor
        self._location = location

    def read(self, size: int) -> bytes:
        started = perf_counter_ns()
        try:
            chunk = os.read(self._descriptor, size)
        except OSError as error:
            raise BenchError(f"{self._location}: {reason(error)}") from None
        if len(chunk) < size:
            raise BenchError(f"{self._location}: became shorter while it was packed")
        self.digest.update(chunk)
        self.elapsed_ns += perf_counter_ns() - started
        return chunk


def pack(root: str, artifact: str, manifest_path: str, *, level: int) -> Packed:
    """Pack the folder `root` into the file `artifact`, a gzip-compressed tar, and write its manifest.

    The same tree gives the same bytes: order, times, owners and modes are fixed, but for whether a file
    may be executed. The bytes of the compression itself are those of this Python's zlib.

    Raises:
        BenchError: something in the tree cannot be read, or changed while it was; the message names it.

    """
    started = perf_counter_ns()
    entries = walk(root)
    walked = perf_counter_ns()
    items: list[Item] = []
    hash_ns = 0
    try:
        with (
            overwriting(artifact) as raw,
            gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=level, mtime=FIXED_TIME) as compressed,
            # Headers and small files reach the compressor together, not one by one.
            io.BufferedWriter(cast("io.RawIOBase", compressed), CHUNK_BYTES) as buffered,
            tarfile.TarFile(
                fileobj=buffered, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8", copybufsize=CHUNK_BYTES
            ) as archive,
        ):
            for entry in entries:
                item, elapsed_ns = _add(archive, entry)
                items.append(item)
                hash_ns += elapsed_ns
    except OSError as error:
        raise BenchError(f"{artifact}: {reason(error)}") from None
    archived = perf_counter_ns()
    manifest = manifest_of(items)
    try:
        write_manifest(manifest_path, manifest)
    except OSError as error:
        raise BenchError(f"{manifest_path}: {reason(error)}") from None
    ended = perf_counter_ns()
    phases_ns = {
        "walk": walked - started,
        "hash": hash_ns,
        "archive": archived - walked - hash_ns,
        "manifest": ended - archived,
    }
    return Packed(manifest=manifest, phases_ns=phases_ns)


def _add(archive: tarfile.TarFile, entry: Entry) -> tuple[Item, int]:
    """Add one entry; return its item and the nanoseconds spent reading and hashing."""
    header = tarfile.TarInfo(entry.path)
    header.mtime = FIXED_TIME
    if entry.kind == "file":
        return _add_file(archive, entry, header)
    if entry.kind == "folder":
        header.type = tarfile.DIRTYPE
        header.mode = FOLDER_MODE
    else:
        header.type = tarfile.SYMTYPE
        header.mode = 0o777
        header.linkname = as_utf8(link_target(entry.location))
    archive.addfile(header)
    return item_of(entry), 0


def _add_file(archive: tarfile.TarFile, entry: Entry, header: tarfile.TarInfo) -> tuple[Item, int]:
    started = perf_counter_ns()
    descriptor = open_file(entry.location)
    try:
        status = os.fstat(descriptor)
        header.size = status.st_size
        header.mode = EXECUTABLE_MODE if status.st_mode & stat.S_IXUSR else FILE_MODE
        reader = _HashingReader(descriptor, entry.location)
        opening_ns = perf_counter_ns() - started
        archive.addfile(header, cast("IO[bytes]", reader))
        started = perf_counter_ns()
        if os.read(descriptor, 1):
            raise BenchError(f"{entry.location}: became longer while it was packed")
    finally:
        os.close(descriptor)
    item = item_of(entry, size=header.size, sha256=reader.digest.hexdigest())
    return item, opening_ns + reader.elapsed_ns + perf_counter_ns() - started
