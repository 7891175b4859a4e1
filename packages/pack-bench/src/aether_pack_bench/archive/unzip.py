"""Unpacking a zip, with the modes and links that it carries."""

from __future__ import annotations

import os
import stat
import zipfile
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether_pack_bench.archive.path_safety import Destination

_UNIX = 3
_ENCRYPTED = 0x1
_IN_UTF_8 = 0x800
#: No system follows a longer link.
_TARGET_BYTES = 4096
#: The amount to unpack at a time with a method that does not bound it; bzip2 makes at most 80 MB of it.
_PACKED_BYTES = 4096


def unzip(artifact: str, destination: Destination) -> None:
    """Unpack the zip `artifact` into `destination`.

    A zip made on Unix has modes and links; other zips have neither, and their files are not executable. The checksums
    of all members are verified.

    Raises:
        BenchError: the artifact is encrypted, or holds a member that a destination rejects.

    """
    with zipfile.ZipFile(artifact) as archive:
        for member in archive.infolist():
            destination.member = _name_of(member)
            _unpack(archive, member, destination)
            destination.member = None


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, destination: Destination) -> None:
    name, mode = _name_of(member), _mode_of(member)
    kind = stat.S_IFMT(mode) or (stat.S_IFDIR if member.is_dir() else stat.S_IFREG)
    if member.flag_bits & _ENCRYPTED:
        raise destination.error("is encrypted")
    if kind == stat.S_IFDIR:
        destination.make_folder(name)
    elif kind == stat.S_IFLNK:
        if member.file_size > _TARGET_BYTES:
            raise destination.error(f"is a link to a path of {member.file_size} bytes")
        destination.make_link(name, os.fsdecode(archive.read(member)))
    elif kind == stat.S_IFREG:
        with archive.open(member) as content:
            executable = bool(mode & stat.S_IXUSR)
            destination.make_file(name, member.file_size, _reader(content, member), executable=executable)
    else:
        raise destination.error("is not a file, folder or link")


def _reader(content: IO[bytes], member: zipfile.ZipInfo) -> Callable[[int], bytes]:
    """Return a function that reads a member piece by piece, in bounded memory.

    All methods but deflate are unpacked without a bound from as many compressed bytes as are asked for.
    """
    if member.compress_type in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        return content.read
    return lambda size: content.read(min(size, _PACKED_BYTES))


def _name_of(member: zipfile.ZipInfo) -> str:
    """Return the name in this system's encoding: a name from Unix without the UTF-8 flag keeps its bytes."""
    if member.create_system == _UNIX and not member.flag_bits & _IN_UTF_8:
        return os.fsdecode(member.filename.encode("cp437"))
    return member.filename


def _mode_of(member: zipfile.ZipInfo) -> int:
    return member.external_attr >> 16 if member.create_system == _UNIX else 0
