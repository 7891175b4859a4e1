"""Whether an artifact holds what its tree holds: unpacked and compared."""

from __future__ import annotations

import os
import stat
import tarfile

from aether_harness import BenchError
from aether_pack_bench.manifest import Manifest, hash_tree
from aether_pack_bench.tree import reason, walk


def verify_artifact(artifact: str, manifest: Manifest, root: str, folder: str) -> None:
    """Unpack `artifact` into the new folder `folder` and compare with the manifest and the tree `root`.

    Raises:
        BenchError: it cannot be unpacked, or differs; the message names the first path that does.

    """
    try:
        os.mkdir(folder)
        with tarfile.open(artifact, mode="r:gz", encoding="utf-8") as archive:
            # Links may point anywhere, as in the tree; nothing may be written through one.
            archive.extractall(folder, filter="tar")
    except (OSError, EOFError, tarfile.TarError) as error:
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
    for theirs, ours in zip(unpacked.items, manifest.items, strict=False):
        if theirs != ours:
            return ours.path
    return "its end: one has more entries than the other"


def _executable(location: str) -> bool:
    try:
        return bool(os.lstat(location).st_mode & stat.S_IXUSR)
    except OSError as error:
        raise BenchError(f"{location}: {reason(error)}") from None
