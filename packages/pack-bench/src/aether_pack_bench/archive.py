"""Packing a tree: one pass that reads each file once, hashes it and writes it to a reproducible archive."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from time import perf_counter_ns
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_harness import BenchError
from aether_pack_bench.ahead import in_order
from aether_pack_bench.deflate import gzip_packer
from aether_pack_bench.header import end_of_archive, header_of, padding
from aether_pack_bench.manifest import Item, Manifest, item_of, link_target, manifest_of, write_manifest
from aether_pack_bench.output import overwriting, write_all
from aether_pack_bench.packer import level_of
from aether_pack_bench.reading import Content, LargeFile, read_whole
from aether_pack_bench.tree import Entry, as_utf8, reason, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aether_pack_bench.packer import Compressor, Packer


class Packed(Struct, frozen=True, kw_only=True):
    """What was packed, and how long each part of it took, in nanoseconds.

    `walk` lists the tree, `read` opens and reads its files, `hash` hashes them, `tar` makes headers and joins all
    to blocks, `compress` compresses those, `write` writes what comes of it, `manifest` digests the whole and writes
    the manifest. Where several threads read or compress, theirs is added up, and may be more than what passed.
    """

    manifest: Manifest
    phases_ns: dict[str, int]


def pack(  # noqa: PLR0913 - from where, to where, and how
    root: str,
    artifact: str,
    manifest_path: str,
    *,
    packer: Packer = gzip_packer,
    level: int | None = None,
    threads: int = 1,
    ignore: str | None = None,
) -> Packed:
    """Pack the folder `root` into the file `artifact`, a compressed tar, and write its manifest.

    The same tree gives the same bytes: order, times, owners and modes are fixed, but for whether a file
    may be executed. The bytes of the compression itself are those of the packer's library. Threads read and hash
    ahead, others compress behind, and neither gets further from the other than some blocks.

    Raises:
        BenchError: something in the tree cannot be read, or changed while it was; the artifact or the manifest
            cannot be written; the packer has no such level. The message names which. No file is left behind.

    """
    level = level_of(packer, level)
    started = perf_counter_ns()
    entries = walk(root, ignore)
    walked = perf_counter_ns()
    try:
        with (
            overwriting(artifact) as raw,
            closing(packer.open(partial(write_all, raw), level=level, threads=threads)) as compressor,
        ):
            archive = _Archive(compressor, packer.block_bytes)
            with in_order(entries, _read_all, threads) as batches:
                for batch in batches:
                    archive.add_all(batch)
            archive.finish()
    except OSError as error:
        raise BenchError(f"{artifact}: {reason(error)}") from None
    archived = perf_counter_ns()
    manifest = manifest_of(archive.items)
    try:
        write_manifest(manifest_path, manifest)
    except OSError as error:
        raise BenchError(f"{manifest_path}: {reason(error)}") from None
    phases_ns = {
        "walk": walked - started,
        "read": archive.read_ns,
        "hash": archive.hash_ns,
        "tar": archive.tar_ns,
        "compress": compressor.compress_ns,
        "write": compressor.write_ns,
        "manifest": perf_counter_ns() - archived,
    }
    return Packed(manifest=manifest, phases_ns=phases_ns)


def _read_all(entries: Sequence[Entry]) -> list[tuple[Entry, Content | None]]:
    return [(entry, read_whole(entry.location) if entry.kind == "file" else None) for entry in entries]


class _Archive:
    """A tar that goes to a compressor in blocks of its size."""

    def __init__(self, compressor: Compressor, block_bytes: int) -> None:
        self.items: list[Item] = []
        self.read_ns = 0
        self.hash_ns = 0
        self.tar_ns = 0
        self._compressor = compressor
        self._block_bytes = block_bytes
        self._pieces: list[bytes | memoryview] = []
        self._held_bytes = 0
        self._size = 0

    def add_all(self, entries: Iterable[tuple[Entry, Content | None]]) -> None:
        """Add entries, with the contents of those that are small files."""
        for entry, content in entries:
            if entry.kind == "file" and content is None:
                self._add_large(entry)
                continue
            started = perf_counter_ns()
            if content is None:
                link = as_utf8(link_target(entry.location)) if entry.kind == "link" else ""
                handed_ns = self._put(header_of(entry.path, entry.kind, link=link))
                self.items.append(item_of(entry))
            else:
                size = len(content.data)
                header = header_of(entry.path, "file", size=size, executable=content.executable)
                handed_ns = self._put(header, content.data, padding(size))
                self.items.append(item_of(entry, size=size, sha256=content.sha256))
                self.read_ns += content.read_ns
                self.hash_ns += content.hash_ns
            self.tar_ns += perf_counter_ns() - started - handed_ns

    def finish(self) -> None:
        """Add what ends a tar, and hand over the rest."""
        self._put(end_of_archive(self._size))
        self._compressor.finish(b"".join(self._pieces))

    def _add_large(self, entry: Entry) -> None:
        started = perf_counter_ns()
        with closing(LargeFile(entry.location)) as file:
            handed_ns = self._put(header_of(entry.path, "file", size=file.size, executable=file.executable))
            for piece in file.pieces():
                handed_ns += self._put(piece)
            handed_ns += self._put(padding(file.size))
            self.items.append(item_of(entry, size=file.size, sha256=file.sha256))
        self.read_ns += file.read_ns
        self.hash_ns += file.hash_ns
        self.tar_ns += perf_counter_ns() - started - handed_ns - file.read_ns - file.hash_ns

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
