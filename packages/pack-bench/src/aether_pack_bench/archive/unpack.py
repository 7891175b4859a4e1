"""Unpacking an artifact into a folder, and nowhere else."""

from __future__ import annotations

import math
import os
import stat
import tarfile
from typing import TYPE_CHECKING, BinaryIO, cast

from aether_harness import BenchError
from aether_pack_bench.archive.path_safety import Destination, shortened
from aether_pack_bench.codecs.deflate import read_gzip
from aether_pack_bench.codecs.tar import store_packer
from aether_pack_bench.codecs.xz import xz_packer
from aether_pack_bench.codecs.zstd import zstd_packer
from aether_pack_bench.trees.walk import os_error_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    Read = Callable[[str], AbstractContextManager[BinaryIO]]

#: How the compressed formats begin (RFC 1952, RFC 8878, the .xz file format 1.2).
_MAGIC: dict[bytes, Read] = {
    b"\x1f\x8b": read_gzip,
    b"\x28\xb5\x2f\xfd": zstd_packer.read,
    b"\xfd7zXZ\0": xz_packer.read,
}
#: How a zip begins: with its first member, or, where it has none, with its end (APPNOTE.TXT 6.3, 4.3.7 and 4.3.16).
ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_DRAINED_AT_ONCE = 2**20
#: Types of extended headers: their content is read into memory for the header that follows.
_EXTENSIONS = b"".join(
    [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK]
)
#: More than a path and a link's target of 4,096 bytes each. Python before 3.11.10 and 3.12.6 takes a time that grows
#: with the square of it (CVE-2024-6232).
MAX_EXTENSION_BYTES = 10 * 2**10
MAX_EXTENSIONS = 4
#: The maximum overhead of a tar in bytes: per member, and in total.
_MEMBER_BYTES = 2**16
_SLACK_BYTES = 2**22


def unpack(
    artifact: str,
    folder: str,
    read: Read | None = None,
    *,
    base: str | None = None,
    sizes: Mapping[str, int | None] | None = None,
) -> None:
    """Unpack the tar or zip `artifact` into the new or empty folder `folder`, over the artifact `base` if there is one.

    A tar is opened by `read`, or else by its first bytes. If there are `sizes`, the artifact may hold these paths only,
    files of these sizes, and not much else.

    Raises:
        BenchError: it is broken or larger than `sizes` allow; or it holds a path that is absolute, leads out of the
            folder or through a link, a path twice, or something that is no file, folder or link. Nothing is written
            outside of the folder.

    """
    os.makedirs(folder, exist_ok=True)
    destination = Destination(folder)
    if base is not None:
        destination.begin(base)
        _unpack(base, destination, read)
    destination.begin(artifact, sizes)
    _unpack(artifact, destination, read, _limit_bytes(sizes))


def _unpack(artifact: str, destination: Destination, read: Read | None, limit_bytes: float = math.inf) -> None:
    try:
        if not stat.S_ISREG(os.stat(artifact).st_mode):
            raise destination.error("is not a regular file")
        with open(artifact, "rb") as file:
            head = file.read(8)
        if read is None and head.startswith(ZIP_MAGIC):
            from aether_pack_bench.archive.unzip import unzip

            unzip(artifact, destination)
            return
        with (read or _opener(head))(artifact) as stream:
            bounded = _Bounded(stream, limit_bytes)
            _untar(bounded, destination)
            # The tar ends before the file around it does, and that has a checksum of its own to be read.
            while bounded.read(_DRAINED_AT_ONCE):
                pass
    except BenchError:
        raise
    except Exception as error:  # noqa: BLE001 - a broken pool's, a lost scheduler's: each has errors of its own
        problem = os_error_text(error) if isinstance(error, OSError) else str(error) or type(error).__name__
        raise destination.error(f"cannot be unpacked: {shortened(problem)}") from None


def _opener(head: bytes) -> Read:
    """Return the opener that fits the first bytes of an artifact; a plain tar has no magic bytes."""
    return next((read for magic, read in _MAGIC.items() if head.startswith(magic)), store_packer.read)


def _limit_bytes(sizes: Mapping[str, int | None] | None) -> float:
    """Return how large a tar of files of these sizes can be."""
    if sizes is None:
        return math.inf
    return sum(size or 0 for size in sizes.values()) + _MEMBER_BYTES * len(sizes) + _SLACK_BYTES


class _Bounded:
    """A stream that is read up to a limit."""

    def __init__(self, stream: BinaryIO, limit_bytes: float) -> None:
        self._stream = stream
        self._left = limit_bytes

    def read(self, size: int) -> bytes:
        """Read some bytes.

        Raises:
            ReadError: there are more than there may be.

        """
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise tarfile.ReadError("it is larger than the tree it was made of")
        return data


def _untar(stream: _Bounded, destination: Destination) -> None:
    with tarfile.open(fileobj=cast("BinaryIO", stream), mode="r|", encoding="utf-8", tarinfo=_header_type()) as archive:
        for member in archive:
            destination.member = member.name
            if member.isreg():
                content = archive.extractfile(member)
                assert content is not None
                executable = bool(member.mode & stat.S_IXUSR)
                destination.make_file(member.name, member.size, content.read, executable=executable)
            elif member.isdir():
                destination.make_folder(member.name)
            elif member.issym():
                destination.make_link(member.name, member.linkname)
            elif member.islnk():
                destination.make_hard_link(member.name, member.linkname)
            else:
                raise destination.error("is not a file, folder or link")
            destination.member = None


def _header_type() -> type[tarfile.TarInfo]:
    """Return a header type for one tar, which bounds the bytes read for extended headers."""

    class Header(tarfile.TarInfo):
        extensions = 0

        @classmethod
        def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Header:
            header = super().frombuf(buf, encoding, errors)
            cls.extensions = cls.extensions + 1 if header.type in _EXTENSIONS else 0
            if cls.extensions and header.size > MAX_EXTENSION_BYTES:
                raise tarfile.ReadError(f"an extended header of {header.size} bytes")
            if cls.extensions > MAX_EXTENSIONS:
                raise tarfile.ReadError("too many extended headers of one member")
            return header

    return Header
