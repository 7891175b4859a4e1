"""The folder that an artifact is unpacked into, and how it is kept there."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, BinaryIO

from aether_harness import BenchError
from aether_pack_bench.trees.walk import decode_name
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aether_pack_bench.trees.walk import Kind

_PIECE_BYTES = 2**20
_ZEROS = bytes(_PIECE_BYTES)
#: Opening fails where something exists already, so no link is followed.
_CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
#: Names that Windows takes for a device, a stream of a file or another name ("Naming Files, Paths, and Namespaces").
_RESERVED_ON_WINDOWS = re.compile(
    r".*:.*|.*[. ]|(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?:[. ].*)?", re.IGNORECASE | re.DOTALL
)
_SHOWN_CHARACTERS = 200


class Destination:
    """A folder that artifacts are unpacked into: nothing is written outside of it, through a link or twice.

    It is empty at first and nothing else writes to it, so the folders in it are those that were made here. Every
    member is created by a call that fails where there is something already.
    """

    def __init__(self, folder: str) -> None:
        """Unpack into `folder`."""
        self._folder = folder
        self._artifact = ""
        self._sizes: Mapping[str, int | None] | None = None
        self._kinds: dict[str, Kind] = {"": "folder"}
        self._members: set[str] = set()
        #: The name of the member that is being unpacked, as errors name it.
        self.member: str | None = None

    def begin(self, artifact: str, sizes: Mapping[str, int | None] | None = None) -> None:
        """Unpack `artifact`; its files and links replace those of an earlier artifact.

        If there are `sizes`, it may hold these paths only, and files of these sizes.
        """
        self._artifact, self._sizes = artifact, sizes
        self._members.clear()

    def error(self, problem: str) -> BenchError:
        """Return an error that names the artifact, the member if there is one, and the problem, in one line."""
        place = "" if self.member is None else f"{shortened(self.member)}: "
        return BenchError(printable(f"{self._artifact}: {place}{problem}"))

    def make_folder(self, name: str) -> None:
        """Make a folder, or accept one that was already made for a member inside."""
        self._make_folders(self._claimed(name))

    def make_file(self, name: str, size: int, read: Callable[[int], bytes], *, executable: bool) -> None:
        """Write a file of `size` bytes, which come from `read`."""
        location = self._placed(name, "file", size)
        mode = 0o755 if executable else 0o644
        with open(os.open(location, _CREATE_FLAGS, mode), "wb") as file:
            if write_sparse(file, read) != size:
                raise EOFError("unexpected end of data")

    def make_link(self, name: str, target: str) -> None:
        """Make a symbolic link. It may point anywhere, as links of a tree do, and is never followed."""
        os.symlink(target, self._placed(name, "link"))

    def make_hard_link(self, name: str, target: str) -> None:
        """Make another name of a file or link that came before."""
        source = _normalized(target)
        kind = None if escapes_root(target) else self._kinds.get(source)
        if kind is None or kind == "folder":
            raise self.error(f"is another name of {shortened(target)}, which is no file before it")
        original = os.path.join(self._folder, source)
        if kind == "link":
            self.make_link(name, os.readlink(original))
        else:
            os.link(original, self._placed(name, "file"))

    def _placed(self, name: str, kind: Kind, size: int | None = None) -> str:
        """Return where a file or link is to be created; the folders above are there, and nothing is in its place."""
        path = self._claimed(name, size)
        self._make_folders(path.rpartition("/")[0])
        location = os.path.join(self._folder, path)
        there = self._kinds.get(path)
        if there == "folder":
            raise self.error("is in the artifact twice, once as a folder")
        if there is not None:
            os.unlink(location)
        self._kinds[path] = kind
        return location

    def _claimed(self, name: str, size: int | None = None) -> str:
        """Return the path of a member, once it is known that it may be there."""
        if escapes_root(name):
            raise self.error("is a path out of the folder it is unpacked into")
        path = _normalized(name)
        if path in self._members:
            raise self.error("is in the artifact twice")
        self._members.add(path)
        if self._sizes is not None and path:
            known = decode_name(path)
            if known not in self._sizes or size not in {None, self._sizes[known]}:
                raise BenchError(printable(f"the artifact differs from the tree at {shortened(known)}"))
        return path

    def _make_folders(self, path: str) -> None:
        """Make a folder and those above it, where they are not there."""
        missing = []
        while (kind := self._kinds.get(path)) != "folder":
            if kind is not None:
                raise self.error(f"leads through {shortened(path)}, which is a {kind}")
            missing.append(path)
            path = path.rpartition("/")[0]
        for each in reversed(missing):
            os.mkdir(os.path.join(self._folder, each))
            self._kinds[each] = "folder"


def escapes_root(path: str, *, windows: bool = os.name == "nt") -> bool:
    """Return whether a path is absolute, goes to a parent folder or, on Windows, is none of a plain file."""
    parts = _parts(path, windows=windows)
    reserved = windows and any(_RESERVED_ON_WINDOWS.fullmatch(part) for part in parts if part != ".")
    return (parts[0] == "" and len(parts) > 1) or ".." in parts or reserved


def _normalized(path: str) -> str:
    return "/".join(part for part in _parts(path, windows=os.name == "nt") if part not in {"", "."})


def _parts(path: str, *, windows: bool) -> list[str]:
    return (path.replace("\\", "/") if windows else path).split("/")


def shortened(text: str) -> str:
    """Return a text for a message, without the middle of a long one."""
    half = _SHOWN_CHARACTERS // 2
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:half]}…{text[-half:]}"


def write_sparse(file: BinaryIO, read: Callable[[int], bytes]) -> int:
    """Write the pieces that `read` returns until it returns none, and leave holes for zeros.

    Return the number of bytes. A sparse file is thus unpacked into a sparse file.
    """
    size = 0
    while piece := read(_PIECE_BYTES):
        size += len(piece)
        if piece == _ZEROS[: len(piece)]:
            file.seek(len(piece), os.SEEK_CUR)
        else:
            file.write(piece)
    file.truncate(size)
    return size
