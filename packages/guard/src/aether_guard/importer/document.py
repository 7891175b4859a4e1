"""A tool's file: read once, bounded, and looked at in the ways that importers ask for."""

from __future__ import annotations

import os
import re
import stat
import zlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from aether_guard.importer.problem import ImportProblem

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The most that a file may hold, after it was unpacked.
SIZE_LIMIT_BYTES = 256 * 2**20
#: The most values of a JSON document. Each takes up to a hundred times the memory of the text that it stands in.
VALUES_LIMIT = 10_000_000
_HEAD_BYTES = 64 * 2**10
_GZIP = b"\x1f\x8b"
_PIECE_BYTES = 2**20
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_Any = TypeVar("_Any")


class Document:
    """One file, or a folder that is one report, as `path` names it."""

    def __init__(self, path: str, data: bytes, *, is_folder: bool = False, modified_s: float = 0.0) -> None:
        """Keep the bytes, unpacked, and when the file was written."""
        self.path = path
        self.data = data
        self.is_folder = is_folder
        self.modified_s = modified_s

    def beside(self, name: str) -> Document | None:
        """Return another file as seen from this one's folder, or from this folder; None where there is none.

        Raises:
            ImportProblem: it is there, and cannot be read.

        """
        folder = self.path if self.is_folder else os.path.dirname(self.path)
        path = os.path.join(folder, name)
        return read_document(path) if os.path.isfile(path) else None

    @cached_property
    def utf8(self) -> bytes:
        """The text as UTF-8, without a byte order mark; from a shell on Windows it may come as UTF-16."""
        for mark, encoding in _MARKS:
            if self.data.startswith(mark):
                if encoding == "utf-8":
                    return self.data[len(mark) :]
                return self.data[len(mark) :].decode(encoding, errors="replace").encode()
        return self.data

    @cached_property
    def text(self) -> str:
        """The whole text; bytes that are none are replaced, for a log may hold anything."""
        return self.utf8.decode(errors="replace")

    @cached_property
    def head(self) -> str:
        """The beginning of the text, enough to tell a format by."""
        return self.utf8[:_HEAD_BYTES].decode(errors="replace")

    @cached_property
    def keys(self) -> dict[str, msgspec.Raw]:
        """The top level of a JSON object, its values not looked at yet; empty where it is no object."""
        return self._peek(self.utf8) if self.utf8[:_HEAD_BYTES].lstrip()[:1] == b"{" else {}

    @cached_property
    def first(self) -> dict[str, msgspec.Raw]:
        """The top level of the first object of a JSON array, or empty where it is no such thing."""
        if self.utf8[:_HEAD_BYTES].lstrip()[:1] != b"[" or self._is_crowded:
            return {}
        return first_of(self.utf8)

    @cached_property
    def first_line(self) -> dict[str, msgspec.Raw]:
        """The top level of the JSON object on the first line that is one, or empty."""
        for line in self.head.splitlines()[:100]:
            if line.startswith("{") and (found := self._peek(line.encode())):
                return found
        return {}

    @cached_property
    def root_tag(self) -> str:
        """The name of an XML document's first element, or an empty one."""
        from aether_guard.importer.xml import root_tag

        return root_tag(self.data[:_HEAD_BYTES]) if self.head.lstrip().startswith("<") else ""

    def decode(self, type_: type[_Any]) -> _Any:
        """Return the JSON document as `type_`.

        Raises:
            ImportProblem: it is not one; the message names the key.

        """
        if self._is_crowded:
            raise ImportProblem(f"more than {VALUES_LIMIT:,} values")
        return decode_json(self.utf8, type_)

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yield the lines of the text, numbered from 1."""
        yield from enumerate(self.text.splitlines(), 1)

    @cached_property
    def _is_crowded(self) -> bool:
        return self.utf8.count(b",") > VALUES_LIMIT

    def _peek(self, data: bytes) -> dict[str, msgspec.Raw]:
        return {} if self._is_crowded else keys_of(data)


def keys_of(data: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Return the top level of a JSON object, or an empty one where `data` holds something else."""
    try:
        return decode_json(data, dict[str, msgspec.Raw])
    except ImportProblem:
        return {}


def first_of(data: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Return the top level of the first object of a JSON array, or an empty one."""
    try:
        items = decode_json(data, list[msgspec.Raw])
    except ImportProblem:
        return {}
    return keys_of(items[0]) if items else {}


def decode_json(data: bytes | msgspec.Raw, type_: type[_Any]) -> _Any:
    """Return JSON as `type_`; the NaN and the infinite that Python and others write are understood.

    Raises:
        ImportProblem: it is not that; the message names the key.

    """
    try:
        return msgspec.json.decode(data, type=type_)
    except msgspec.ValidationError as error:
        raise _misfit(error) from None
    except RecursionError:
        raise ImportProblem("nested too deeply") from None
    except UnicodeDecodeError as error:
        raise ImportProblem(f"not UTF-8 at byte {error.start}") from None
    except msgspec.DecodeError as error:
        if not re.search(rb"\b(?:NaN|Infinity)\b", bytes(data)):
            raise ImportProblem(_malformed(error)) from None
    return _decode_python_json(bytes(data), type_)


def read_document(path: str) -> Document:
    """Return the file or the folder `path`.

    Raises:
        ImportProblem: it is missing, unreadable, no regular file, or too large.

    """
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            return Document(path, b"", is_folder=True, modified_s=status.st_mtime)
        if not stat.S_ISREG(status.st_mode):
            raise ImportProblem("not a regular file")
        if status.st_size > SIZE_LIMIT_BYTES:
            raise ImportProblem(f"{status.st_size:,} bytes, over the limit of {SIZE_LIMIT_BYTES:,}")
        with open(path, "rb") as file:
            # A file of the kernel's says that it has no size, and one that is being written to grows.
            data = file.read(SIZE_LIMIT_BYTES)
    except FileNotFoundError:
        raise ImportProblem("no such file") from None
    except (OSError, ValueError) as error:
        raise ImportProblem(f"cannot be read: {(getattr(error, 'strerror', None) or str(error)).lower()}") from None
    if data.startswith(_GZIP):
        data = unpack(data)
    return Document(path, data, modified_s=status.st_mtime)


def unpack(data: bytes) -> bytes:
    """Return what a gzip holds, all members of it, and never more than the limit.

    Raises:
        ImportProblem: it is truncated, damaged, or unpacks to more.

    """
    parts: list[bytes] = []
    size = 0
    while data.startswith(_GZIP):
        stream = zlib.decompressobj(wbits=31)
        while not stream.eof:
            try:
                part = stream.decompress(data, _PIECE_BYTES)
            except zlib.error:
                raise ImportProblem("damaged gzip") from None
            if not part and not stream.unconsumed_tail and not stream.eof:
                raise ImportProblem("truncated gzip")
            data = stream.unconsumed_tail
            size += len(part)
            if size > SIZE_LIMIT_BYTES:
                raise ImportProblem(f"unpacks to more than the limit of {SIZE_LIMIT_BYTES:,} bytes")
            parts.append(part)
        data = stream.unused_data
    return b"".join(parts)


def _decode_python_json(data: bytes, type_: type[_Any]) -> _Any:
    import json

    try:
        document: Any = json.loads(data)
        # Parts that are to be looked at later become text again.
        if type_ == dict[str, msgspec.Raw] and isinstance(document, dict):
            document = {key: _text_again(value) for key, value in document.items()}
        elif type_ == list[msgspec.Raw] and isinstance(document, list):
            document = [_text_again(value) for value in document]
        return msgspec.convert(document, type_)
    except RecursionError:
        raise ImportProblem("nested too deeply") from None
    except msgspec.ValidationError as error:
        raise _misfit(error) from None
    except ValueError as error:
        raise ImportProblem(f"malformed JSON: {str(error)[:1].lower()}{str(error)[1:]}") from None


def _text_again(value: object) -> msgspec.Raw:
    import json

    try:
        return msgspec.Raw(msgspec.json.encode(value))  # what is no number becomes null
    except OverflowError:  # a whole number of more than 64 bits
        return msgspec.Raw(json.dumps(value).encode())


def _misfit(error: msgspec.ValidationError) -> ImportProblem:
    problem, _, place = str(error).partition(" - at `$")
    return ImportProblem(problem[:1].lower() + problem[1:], place=place.removesuffix("`").removeprefix("."))


def _malformed(error: msgspec.DecodeError) -> str:
    text = str(error)
    return "empty or truncated JSON" if "truncated" in text else text.replace("JSON is m", "m")
