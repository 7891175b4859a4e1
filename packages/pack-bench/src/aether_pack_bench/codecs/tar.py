"""The packer `store`: a plain tar."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from aether_pack_bench.codecs.block_compressor import BlockCompressor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO


class TarPacker:
    """A packer that compresses nothing, and so has one level and no use for threads."""

    name = "store"
    suffix = ".tar"
    levels = (0, 9)
    default_level = 0
    block_bytes = 2**20

    def versions(self) -> Mapping[str, str]:
        """Return nothing: there is no library."""
        return {}

    def open(self, write: Callable[[bytes], None], *, level: int, threads: int) -> BlockCompressor:  # noqa: ARG002
        """Start a tar file."""
        return BlockCompressor(write, lambda block, _before, _last: block, threads=1)  # type: ignore[arg-type,return-value]

    @contextmanager
    def read(self, artifact: str) -> Iterator[BinaryIO]:
        """Open the file."""
        with open(artifact, "rb") as stream:
            yield stream


store_packer = TarPacker()
