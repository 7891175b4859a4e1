"""Unpacking an artifact into a folder, and nowhere else."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING, Any, BinaryIO

from aether_harness import BenchError
from aether_pack_bench.deflate import read_gzip
from aether_pack_bench.inside import leads_out, require_inside, write_sparse
from aether_pack_bench.packer import BROKEN
from aether_pack_bench.store import store_packer
from aether_pack_bench.xz import xz_packer
from aether_pack_bench.zstd import zstd_packer

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

#: How the compressed formats begin (RFC 1952, RFC 8878, the .xz file format 1.2).
_MAGIC: dict[bytes, Callable[[str], AbstractContextManager[BinaryIO]]] = {
    b"\x1f\x8b": read_gzip,
    b"\x28\xb5\x2f\xfd": zstd_packer.read,
    b"\xfd7zXZ\0": xz_packer.read,
}
#: How a zip begins: with its first member, or, where it has none, with its end (APPNOTE.TXT 6.3, 4.3.7 and 4.3.16).
ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_DRAINED_AT_ONCE = 2**20
#: Python 3.11 before its fourth release, which some systems still have, knows no filters.
_AS_THEY_ARE: dict[str, Any] = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}


def unpack(artifact: str, folder: str, read: Callable[[str], AbstractContextManager[BinaryIO]] | None = None) -> None:
    """Unpack the tar in `artifact`, opened by `read` or else by what it begins with, into the folder `folder`.

    By that a zip is told, too.

    Raises:
        BenchError: it is broken; or it holds a path that is absolute, leads out of the folder or through a link, or
            something that is no file, folder or link. Nothing is written outside of the folder.

    """
    try:
        if read is None and _is_zip(artifact):
            from aether_pack_bench.unzip import unzip

            unzip(artifact, folder)
            return
        with (read or opener_of(artifact))(artifact) as stream:
            with _Sparse.open(fileobj=stream, mode="r|", encoding="utf-8") as archive:
                # Each is looked at when those before it are there, for one of them may be a link.
                members = (_only_below(member, folder) for member in archive)
                archive.extractall(folder, members, **_AS_THEY_ARE)  # noqa: S202 - what is harmful was refused
            # The tar ends before the file around it does, and that has a checksum of its own to be read.
            while stream.read(_DRAINED_AT_ONCE):
                pass
    except BROKEN as error:
        raise BenchError(f"the artifact cannot be unpacked: {error}") from None


def opener_of(artifact: str) -> Callable[[str], AbstractContextManager[BinaryIO]]:
    """Return what opens the stream in `artifact`, by its first bytes; a plain tar has none of its own."""
    with open(artifact, "rb") as file:
        head = file.read(8)
    return next((read for magic, read in _MAGIC.items() if head.startswith(magic)), store_packer.read)


def _is_zip(artifact: str) -> bool:
    with open(artifact, "rb") as file:
        return file.read(4) in ZIP_MAGIC


class _Sparse(tarfile.TarFile):
    """A tar whose files are unpacked with holes where they are empty."""

    def makefile(self, tarinfo: tarfile.TarInfo, targetpath: Any) -> None:  # noqa: ANN401 - as tarfile has it
        """Write one file."""
        packed = self.extractfile(tarinfo)
        assert packed is not None
        with packed, open(targetpath, "wb") as file:
            size = write_sparse(file, packed.read)
        if size != tarinfo.size:
            raise tarfile.ReadError("unexpected end of data")


def _only_below(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo:
    """Refuse what tarfile would quietly make harmless: an artifact must not name such a path at all."""
    if member.islnk() and leads_out(member.linkname):
        raise BenchError(f"the artifact holds {member.name}, another name of {member.linkname}, out of its folder")
    if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        raise BenchError(f"the artifact holds {member.name}, which is not a file, folder or link")
    require_inside(member.name, folder)
    member.mode &= 0o755
    return member
