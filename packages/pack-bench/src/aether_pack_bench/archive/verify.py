"""Verify that an artifact holds its tree: unpack and compare."""

from __future__ import annotations

import os
from itertools import zip_longest
from typing import TYPE_CHECKING, BinaryIO

from aether_harness import BenchError
from aether_pack_bench.archive.file_reader import is_executable, status_of
from aether_pack_bench.archive.unpack import unpack
from aether_pack_bench.manifest import Manifest, hash_tree, path_of
from aether_pack_bench.trees.walk import walk
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


def verify_artifact(  # noqa: PLR0913 - a comparison of so many things
    artifact: str,
    manifest: Manifest,
    root: str,
    folder: str,
    *,
    read: Callable[[str], AbstractContextManager[BinaryIO]] | None = None,
    ignore: str | None = None,
    base: str | None = None,
) -> None:
    """Unpack `artifact` into the new folder `folder` and compare with the manifest and the tree `root`.

    An incremental artifact is unpacked over its `base`.

    Raises:
        BenchError: it cannot be unpacked, or differs; the message names the first path that does.

    """
    os.mkdir(folder)
    sizes = {path_of(item): item.size for item in manifest.items}
    unpack(artifact, folder, read, base=base, sizes=sizes)
    unpacked = hash_tree(folder)
    if unpacked.tree_sha256 != manifest.tree_sha256:
        raise BenchError(f"the artifact differs from the tree at {_first_difference(unpacked, manifest)}")
    if hash_tree(root, ignore=ignore).tree_sha256 != manifest.tree_sha256:
        raise BenchError(f"{root}: the tree changed while it was measured")
    for entry in walk(root, ignore):
        if entry.kind == "file" and _executable(entry.location) != _executable(os.path.join(folder, entry.path)):
            place = printable(entry.path)
            raise BenchError(f"the artifact differs from the tree at {place}: whether it may be executed")


def _first_difference(unpacked: Manifest, manifest: Manifest) -> str:
    pairs = zip_longest(unpacked.items, manifest.items)
    theirs, ours = next((theirs, ours) for theirs, ours in pairs if theirs != ours)
    return printable((ours or theirs).path)


def _executable(location: str) -> bool:
    return is_executable(status_of(location))
