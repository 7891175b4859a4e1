"""The manifest of a tree: every path with its size and SHA-256, and one digest of the whole."""

from __future__ import annotations

import base64
import hashlib
import os
from itertools import chain
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from aether_harness import BenchError
from aether_pack_bench.archive.atomic_file import replace_file, write_all
from aether_pack_bench.prefetch import map_ordered
from aether_pack_bench.trees.walk import Entry, decode_name, os_error_text, walk

if TYPE_CHECKING:
    from collections.abc import Sequence

# Open the file itself, not the target of a link that has replaced it since the walk.
OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
# Most files of an artifact fit, and the allocator reuses a buffer of this size.
CHUNK_BYTES = 64 * 2**10


class ManifestEntry(Struct, frozen=True, omit_defaults=True, gc=False):
    """One entry: a file has a size and a digest, a link its target, a folder neither.

    If a path or a target is not UTF-8, `raw_path` or `raw_link` holds its bytes in base64, and the text is only for
    people.
    """

    path: str
    size: int | None = None
    sha256: str | None = None
    link: str | None = None
    raw_path: str | None = None
    raw_link: str | None = None


class Manifest(Struct, frozen=True):
    """The items of a tree in walking order, and the SHA-256 of their encoding, which covers all contents."""

    tree_sha256: str
    items: tuple[ManifestEntry, ...]
    encoded_items: msgspec.Raw


def hash_tree(root: str, *, ignore: str | None = None, threads: int = 1) -> Manifest:
    """Return the manifest of the folder `root`, hashed by `threads` threads.

    Raises:
        BenchError: something in the tree cannot be read; the message names it.

    """
    with map_ordered(walk(root, ignore), _hashed_all, threads) as batches:
        return manifest_of(list(chain.from_iterable(batches)))


def manifest_of(items: Sequence[ManifestEntry]) -> Manifest:
    """Return the manifest of `items`, with the digest of the whole."""
    encoded = msgspec.json.encode(items)
    return Manifest(hashlib.sha256(encoded).hexdigest(), tuple(items), msgspec.Raw(encoded))


def write_manifest(path: str, manifest: Manifest) -> None:
    """Write the manifest to the file `path`, as a JSON object of `tree_sha256` and `items`."""
    with replace_file(path) as file:
        write_all(file, msgspec.json.encode({"tree_sha256": manifest.tree_sha256, "items": manifest.encoded_items}))


def manifest_entry(entry: Entry, *, size: int | None = None, sha256: str | None = None) -> ManifestEntry:
    """Return the item of an entry; the target of a link is read here."""
    path, raw_path = _json_path(entry.path)
    if entry.kind != "link":
        return ManifestEntry(path, size, sha256, None, raw_path)
    target, raw_link = _json_path(decode_name(link_target(entry.location)))
    return ManifestEntry(path, None, None, target, raw_path, raw_link)


def path_of(item: ManifestEntry) -> str:
    """Return the path of an item as `walk` has it."""
    return item.path if item.raw_path is None else base64.b64decode(item.raw_path).decode(errors="surrogateescape")


def link_target(location: str) -> str:
    """Return the target of a link of the tree.

    Raises:
        BenchError: it has gone.

    """
    try:
        return os.readlink(location)
    except OSError as error:
        raise BenchError(f"{location}: {os_error_text(error)}") from None


def open_file(location: str) -> int:
    """Open a file of the tree and return its descriptor.

    Raises:
        BenchError: it is unreadable or has gone.

    """
    try:
        return os.open(location, OPEN_FLAGS)
    except OSError as error:
        raise BenchError(f"{location}: {os_error_text(error)}") from None


def _hashed_all(entries: Sequence[Entry]) -> list[ManifestEntry]:
    return [_hashed(entry) for entry in entries]


def _hashed(entry: Entry) -> ManifestEntry:
    if entry.kind != "file":
        return manifest_entry(entry)
    descriptor = open_file(entry.location)
    try:
        chunk = os.read(descriptor, CHUNK_BYTES)
        size = len(chunk)
        digest = hashlib.sha256(chunk)
        while chunk := os.read(descriptor, CHUNK_BYTES):
            size += len(chunk)
            digest.update(chunk)
    except OSError as error:
        raise BenchError(f"{entry.location}: {os_error_text(error)}") from None
    finally:
        os.close(descriptor)
    return manifest_entry(entry, size=size, sha256=digest.hexdigest())


def _json_path(path: str) -> tuple[str, str | None]:
    """Return the path as JSON can hold it, and its bytes in base64 where that is not the whole truth."""
    if path.isascii():
        return path, None
    try:
        path.encode()
    except UnicodeEncodeError:
        raw = path.encode(errors="surrogateescape")
        return raw.decode(errors="backslashreplace"), base64.b64encode(raw).decode()
    return path, None
