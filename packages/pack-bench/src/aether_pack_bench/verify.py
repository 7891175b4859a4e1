"""Whether an artifact holds what its tree holds: unpacked and compared."""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
import zlib
from itertools import zip_longest

from aether_harness import BenchError
from aether_pack_bench.manifest import CHUNK_BYTES, Manifest, hash_tree
from aether_pack_bench.tree import reason, walk


def verify_artifact(artifact: str, manifest: Manifest, root: str, folder: str) -> None:
    """Unpack `artifact` into the new folder `folder` and compare with the manifest and the tree `root`.

    Raises:
        BenchError: it cannot be unpacked, or differs; the message names the first path that does.

    """
    try:
        os.mkdir(folder)
        with gzip.open(artifact) as stream, tarfile.open(fileobj=stream, mode="r:", encoding="utf-8") as archive:
            # Links may point anywhere, as in the tree; nothing may be written through one.
            archive.extractall(folder, filter="tar")
            # The tar ends before the gzip around it does, and that has a checksum of its own to be read.
            while stream.read(CHUNK_BYTES):
                pass
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise BenchError(f"the artifact cannot be unpacked: {error}") from None
    unpacked = hash_tree(folder)
    if unpacked.tree_sha256 != manifest.tree_sha256:
        raise BenchError(f"the artifact differs from the tree at {_first_difference(unpacked, manifest)}")
    if hash_tree(root).tree_sha256 != manifest.tree_sha256:
        raise BenchError(f"{root}: the tree changed while it was measured")
    for entry in walk(root):
        if entry.kind == "file" and _executable(entry.location) != _executable(os.path.join(folder, entry.path)):
            raise BenchError(f"the artifact differs from the tree at {entry.path}: whether it may be executed")


def _first_difference(unpacked: Manifest, manifest: Manifest) -> str:
    pairs = zip_longest(unpacked.items, manifest.items)
    theirs, ours = next((theirs, ours) for theirs, ours in pairs if theirs != ours)
    return str((ours or theirs).path)


def _executable(location: str) -> bool:
    try:
        return bool(os.lstat(location).st_mode & stat.S_IXUSR)
    except OSError as error:
        raise BenchError(f"{location}: {reason(error)}") from None
