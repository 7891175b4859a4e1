"""Headers of tar members: always the same for the same path, size and kind."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aether_pack_bench.trees.walk import Kind

FIXED_TIME = 0
FOLDER_MODE = 0o755
EXECUTABLE_MODE = 0o755
FILE_MODE = 0o644
LINK_MODE = 0o777

#: The capacity of a header field; larger values need extended headers.
NAME_BYTES = 100
SIZE_LIMIT = 8**11

_TYPES: dict[Kind, bytes] = {"file": tarfile.REGTYPE, "folder": tarfile.DIRTYPE, "link": tarfile.SYMTYPE}


def tar_header(path: str, kind: Kind, *, size: int = 0, executable: bool = False, link: str = "") -> bytes:
    """Return the header of one member, in the pax format (POSIX.1-2001), its own extended header before it.

    Times, owners and modes are fixed, except for the execute permission. Values that fit the plain form are filled into
    a header that tarfile made once, because tarfile takes longer to make a header than the system to open a file.
    """
    if kind != "link" and size < SIZE_LIMIT and path.isascii():
        name = path.encode() + (b"/" if kind == "folder" else b"")
        if len(name) <= NAME_BYTES:
            return _from_template(_TEMPLATES[kind, executable], name, size)
    return _generic_header(path, kind, size=size, executable=executable, link=link)


def end_of_archive(size: int) -> bytes:
    """Return the end of an archive after `size` bytes of members: two empty blocks, and padding to a full record."""
    length = size + 2 * tarfile.BLOCKSIZE
    return bytes(length - size + -length % tarfile.RECORDSIZE)


def padding(size: int) -> bytes:
    """Return the padding of a member's last block."""
    return bytes(-size % tarfile.BLOCKSIZE)


def _generic_header(path: str, kind: Kind, *, size: int, executable: bool, link: str) -> bytes:
    member = tarfile.TarInfo(path)
    member.mtime = FIXED_TIME
    member.type = _TYPES[kind]
    member.size = size
    member.linkname = link
    member.mode = {"folder": FOLDER_MODE, "link": LINK_MODE}.get(kind, EXECUTABLE_MODE if executable else FILE_MODE)
    return member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _from_template(template: tuple[bytes, bytes, bytes, int], name: bytes, size: int) -> bytes:
    owner, times, rest, total = template
    length = b"%011o\0" % size
    # The checksum is the sum of all bytes, with blanks in its own field (POSIX.1-1988, 10.1.1).
    checksum = b"%06o\0 " % (total + sum(name) + sum(length))
    return b"".join((name.ljust(NAME_BYTES, b"\0"), owner, length, times, checksum, rest))


def _template(kind: Kind, *, executable: bool) -> tuple[bytes, bytes, bytes, int]:
    made = _generic_header("", kind, size=0, executable=executable, link="")
    owner, times, rest = made[100:124], made[136:148], made[156:]
    return owner, times, rest, sum(owner) + sum(times) + sum(rest) + 8 * ord(" ")


_TEMPLATES: dict[tuple[Kind, bool], tuple[bytes, bytes, bytes, int]] = {
    ("file", False): _template("file", executable=False),
    ("file", True): _template("file", executable=True),
    ("folder", False): _template("folder", executable=False),
}
