"""The packaging bench, as the harness finds it."""

from __future__ import annotations

import hashlib
import os
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from aether_harness import BenchError, ByteCount, Place, Sampled
from aether_pack_bench.__about__ import __version__
from aether_pack_bench.archive import Packed, pack
from aether_pack_bench.tree import write_seeded_tree
from aether_pack_bench.verify import verify_artifact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aether_schema import Metric


class PackParams(Struct, frozen=True, kw_only=True):
    """What is packed: `files` seeded files of `size` bytes each, or the folder `tree`; at which gzip `level`."""

    files: Annotated[int, Meta(ge=0, le=1_000_000)] = 100
    size: Annotated[ByteCount, Meta(ge=0, le=2**40)] = 1024
    seed: int = 1
    tree: str | None = None
    level: Annotated[int, Meta(ge=0, le=9)] = 6


class PackSession:
    """A tree, packed anew by every sample."""

    def __init__(self, root: str, folder: str, level: int) -> None:
        """Pack the folder `root` into `folder`."""
        self._root = root
        self._folder = folder
        self._level = level
        self._artifact = os.path.join(folder, "artifact.tar.gz")
        self._manifest = os.path.join(folder, "manifest.json")
        self._packed: Packed | None = None

    def sample(self) -> Sampled:
        """Walk, hash, archive, and write artifact and manifest."""
        self._packed = self._pack_to(self._artifact)
        return Sampled(phases_ns=self._packed.phases_ns)

    def verify(self) -> None:
        """Unpack the last artifact and compare it with the tree; pack again and compare the bytes."""
        if self._packed is None:
            raise BenchError("nothing was packed yet")
        verify_artifact(self._artifact, self._packed.manifest, self._root, os.path.join(self._folder, "unpacked"))
        again = os.path.join(self._folder, "again.tar.gz")
        self._pack_to(again)
        if _digest(again) != _digest(self._artifact):
            raise BenchError("packing the same tree twice gave different bytes")

    def _pack_to(self, artifact: str) -> Packed:
        return pack(self._root, artifact, self._manifest, level=self._level)


class PackagingBench:
    """Packs a tree of files into a reproducible tar.gz with a manifest."""

    bench_id = "packaging"
    name = "pack"
    about = "walk, hash and pack a tree into a reproducible tar.gz"
    metric: Metric = "duration_ms"
    params_type = PackParams
    reference = "archive-1"
    versions: Mapping[str, str] = {"zlib": zlib.ZLIB_RUNTIME_VERSION, "aether-pack-bench": __version__}

    @contextmanager
    def open(self, params: PackParams, place: Place) -> Iterator[PackSession]:
        """Write the seeded tree, or take the user's own, and yield the session."""
        if params.tree is None:
            root = os.path.join(place.folder, "tree")
            write_seeded_tree(root, files=params.files, size=params.size, seed=params.seed)
        else:
            root = os.path.realpath(params.tree)
            if not os.path.isdir(root):
                raise BenchError(f"pack.tree={params.tree}: not a folder")
        yield PackSession(root, place.folder, params.level)


packaging = PackagingBench()


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
