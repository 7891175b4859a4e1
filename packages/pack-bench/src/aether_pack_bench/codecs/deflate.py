"""Packers whose artifacts every gzip can read: stdlib's zlib, ISA-L, zlib-ng and libdeflate."""

from __future__ import annotations

import gzip
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from aether_pack_bench.codecs.block_compressor import BlockCompressor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO

#: How far back deflate can point.
WINDOW_BYTES = 32 * 2**10
#: No flags, no time, an unknown system: no trace of time and place (RFC 1952, section 2.3).
GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


@contextmanager
def read_gzip(artifact: str) -> Iterator[BinaryIO]:
    """Open the stream in a gzip file, of however many members."""
    with gzip.open(artifact) as stream:
        yield cast("BinaryIO", stream)


class _Gzip(BlockCompressor):
    """One gzip member, its blocks joined on byte boundaries, as pigz joins them.

    Each block may refer back to the previous one, so that splitting the stream costs five bytes and not the dictionary.
    """

    def __init__(
        self,
        write: Callable[[bytes], None],
        deflater: Callable[[bytes], Any],
        zlib_: Any,  # noqa: ANN401 - modules without types
        threads: int,
    ) -> None:
        super().__init__(write, self._deflate, threads)
        self._deflater = deflater
        self._zlib = zlib_
        self._checksum = 0
        self._size = 0
        self._begun = False

    def add(self, block: bytes | memoryview) -> None:
        self._note(block)
        super().add(block)

    def finish(self, block: bytes | memoryview) -> None:
        self._note(block)
        super().finish(block)
        self._write(self._checksum.to_bytes(4, "little") + (self._size % 2**32).to_bytes(4, "little"))

    def _note(self, block: bytes | memoryview) -> None:
        if not self._begun:
            self._begun = True
            self._write(GZIP_HEADER)
        self._checksum = self._zlib.crc32(block, self._checksum)
        self._size += len(block)

    def _deflate(self, block: bytes | memoryview, before: bytes | memoryview, last: bool) -> bytes:  # noqa: FBT001
        deflater = self._deflater(bytes(before[-WINDOW_BYTES:]))
        head: bytes = deflater.compress(block)
        return head + cast("bytes", deflater.flush(self._zlib.Z_FINISH if last else self._zlib.Z_SYNC_FLUSH))


class ZlibPacker:
    """A packer on a module that speaks as stdlib's zlib does."""

    suffix = ".tar.gz"
    block_bytes = 2**20

    levels = (0, 9)

    def __init__(self, name: str, load: Callable[[], Any], *, default_level: int, top: int) -> None:
        """Compress with the module that `load` imports; levels above `top` mean that."""
        self.name = name
        self.default_level = default_level
        self._load = load
        self._top = top

    def versions(self) -> Mapping[str, str]:
        """Return the library's version, or its distribution's."""
        module = self._load()
        return {"zlib": zlib.ZLIB_RUNTIME_VERSION} if module is zlib else {self.name: _version_of(self.name)}

    def open(self, write: Callable[[bytes], None], *, level: int, threads: int) -> BlockCompressor:
        """Start a gzip file of one member."""
        module = self._load()

        def deflater(dictionary: bytes) -> Any:  # noqa: ANN401
            if dictionary:
                return module.compressobj(min(level, self._top), module.DEFLATED, -zlib.MAX_WBITS, zdict=dictionary)
            return module.compressobj(min(level, self._top), module.DEFLATED, -zlib.MAX_WBITS)

        return _Gzip(write, deflater, module, threads)

    read = staticmethod(read_gzip)


class LibdeflatePacker:
    """A packer on libdeflate, which compresses whole buffers: a gzip file of a member every four MiB."""

    name = "libdeflate"
    suffix = ".tar.gz"
    levels = (1, 12)
    default_level = 5
    block_bytes = 4 * 2**20

    def versions(self) -> Mapping[str, str]:
        """Return the version of the distribution."""
        import deflate  # noqa: F401 - that it can be is what is asked

        return {"deflate": _version_of("deflate")}

    def open(self, write: Callable[[bytes], None], *, level: int, threads: int) -> BlockCompressor:
        """Start a gzip file."""
        import deflate

        def compress(block: bytes | memoryview, before: bytes | memoryview, last: bool) -> bytes:  # noqa: ARG001, FBT001
            # An empty member at the end of others would only be longer.
            return b"" if before and not block else bytes(deflate.gzip_compress(block, level))

        return BlockCompressor(write, compress, threads)

    read = staticmethod(read_gzip)


def _version_of(distribution: str) -> str:
    from importlib.metadata import version

    return version(distribution)


def _isal() -> Any:  # noqa: ANN401
    from isal import isal_zlib

    return isal_zlib


def _zlib_ng() -> Any:  # noqa: ANN401
    from zlib_ng import zlib_ng

    return zlib_ng


gzip_packer = ZlibPacker("gzip", lambda: zlib, default_level=6, top=9)
#: ISA-L's own scale ends at 3; higher gzip levels are accepted, so that they can be swept with other packers.
isal_packer = ZlibPacker("isal", _isal, default_level=2, top=3)
zlib_ng_packer = ZlibPacker("zlib-ng", _zlib_ng, default_level=6, top=9)
libdeflate_packer = LibdeflatePacker()
