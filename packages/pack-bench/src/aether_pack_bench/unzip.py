"""Unpacking a zip into a folder, and nowhere else, with the modes and links that it carries."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib

from aether_harness import BenchError
from aether_pack_bench.inside import require_inside, write_sparse

_BROKEN = (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, NotImplementedError)
_UNIX = 3
_ENCRYPTED = 0x1
_IN_UTF_8 = 0x800
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


def unzip(artifact: str, folder: str) -> None:
    """Unpack the zip `artifact` into the folder `folder`.

    What was zipped on a Unix has modes, and links among them; elsewhere zip knows neither, and such a file may not be
    executed. The checksums of all members are read.

    Raises:
        BenchError: it is broken or encrypted, or packed by what this Python cannot unpack; or it holds a path that is
            absolute, leads out of the folder or through a link, one path twice, or something that is no file, folder
            or link. Nothing is written outside of the folder.

    """
    try:
        with zipfile.ZipFile(artifact) as archive:
            for member in archive.infolist():
                _unpack(archive, member, folder)
    except _BROKEN as error:
        raise BenchError(f"the artifact cannot be unpacked: {error}") from None


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: str) -> None:
    name, mode = _name_of(member), _mode_of(member)
    kind = stat.S_IFMT(mode) or (stat.S_IFDIR if member.is_dir() else stat.S_IFREG)
    require_inside(name, folder)
    if member.flag_bits & _ENCRYPTED:
        raise BenchError(f"the artifact holds {name}, which is encrypted")
    location = os.path.join(folder, name)
    if kind == stat.S_IFDIR:
        os.makedirs(location, exist_ok=True)
        return
    if kind not in {stat.S_IFREG, stat.S_IFLNK}:
        raise BenchError(f"the artifact holds {name}, which is not a file, folder or link")
    os.makedirs(os.path.dirname(location), exist_ok=True)
    try:
        if kind == stat.S_IFLNK:
            os.symlink(os.fsdecode(archive.read(member)), location)
            return
        with archive.open(member) as packed, open(os.open(location, _WRITE_FLAGS, 0o644), "wb") as file:
            write_sparse(file, packed.read)
    except FileExistsError:
        raise BenchError(f"the artifact holds {name} twice") from None
    os.chmod(location, 0o755 if mode & stat.S_IXUSR else 0o644)


def _name_of(member: zipfile.ZipInfo) -> str:
    """Return the name as this system writes it: where a Unix has not said that it is UTF-8, its bytes are its own."""
    if member.create_system == _UNIX and not member.flag_bits & _IN_UTF_8:
        return os.fsdecode(member.filename.encode("cp437"))
    return member.filename


def _mode_of(member: zipfile.ZipInfo) -> int:
    return member.external_attr >> 16 if member.create_system == _UNIX else 0
