"""A tool's file: read once, within bounds of memory, and looked at in the ways that importers ask for."""

from __future__ import annotations

import io
import os
import re
import stat
import zlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import msgspec

from aether_formats.errors import ImportFileError
from aether_formats.reading.thinning import thin

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

#: The most that a file may hold, after it was unpacked and thinned.
SIZE_LIMIT_BYTES = 256 * 2**20
#: The most that is unpacked or thinned.
THINNED_LIMIT_BYTES = 2 * 2**30
#: The memory that reading a file may take at its peak.
MEMORY_LIMIT_BYTES = 2**30
LINES_LIMIT = 2_000_000
#: An interpreter with the importers.
_IDLE_BYTES = 64 * 2**20
#: The memory of a value in a JSON document, and of a list or an object, from its text to its summary: measured.
_VALUE_BYTES = 120
_CONTAINER_BYTES = 160
_ASCII, _WIDEST = 1, 4  # bytes of a character
_HEAD_BYTES = 64 * 2**10
_GZIP = b"\x1f\x8b"
_PIECE_BYTES = 2**20
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_Any = TypeVar("_Any")


class Document:
    """One file, or a folder that is one report, as `path` names it."""

    def __init__(
        self, path: str, data: bytes, *, is_folder: bool = False, is_thinned: bool = False, modified_s: float = 0.0
    ) -> None:
        """Keep the bytes, unpacked and perhaps thinned, and when the file was written."""
        self.path = path
        self.data = data
        self.is_folder = is_folder
        self.is_thinned = is_thinned
        self.modified_s = modified_s

    def sibling(self, name: str) -> Document | None:
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
        """The whole text, with invalid bytes replaced, because a log may contain any. Lines take less memory.

        Raises:
            ImportProblem: it takes more memory than reading may.

        """
        if len(self.utf8) + self._characters_bytes > MEMORY_LIMIT_BYTES:
            raise ImportFileError("reading it may take over 1 GiB of memory: split it")
        return self.utf8.decode(errors="replace")

    @cached_property
    def head(self) -> str:
        """The beginning of the text, enough to detect a format."""
        return self.utf8[:_HEAD_BYTES].decode(errors="replace")

    @cached_property
    def keys(self) -> dict[str, msgspec.Raw]:
        """The top level of a JSON object, its values not looked at yet; empty where it is no object."""
        return self._peek(self.utf8) if self.utf8[:_HEAD_BYTES].lstrip()[:1] == b"{" else {}

    @cached_property
    def first_object(self) -> dict[str, msgspec.Raw]:
        """The top level of the first object of a JSON array, or empty where it is no such thing."""
        if self.utf8[:_HEAD_BYTES].lstrip()[:1] != b"[" or self.memory_bytes > MEMORY_LIMIT_BYTES:
            return {}
        return first_of(self.utf8)

    @cached_property
    def first_line(self) -> dict[str, msgspec.Raw]:
        """The top level of the JSON object on the first line that is one, or empty."""
        for line in self.head.splitlines()[:100]:
            if line.startswith("{") and (found := keys_of(line.encode())):
                return found
        return {}

    @cached_property
    def root_tag(self) -> str:
        """The name of an XML document's first element, or an empty one."""
        from aether_formats.reading.xml import root_tag

        return root_tag(self.data[:_HEAD_BYTES]) if self.head.lstrip().startswith("<") else ""

    def decode(self, type_: type[_Any]) -> _Any:
        """Return the JSON document as `type_`.

        Raises:
            ImportProblem: it is not one; the message names the key.

        """
        if self.memory_bytes > MEMORY_LIMIT_BYTES:
            needed = f"{self.memory_bytes / 2**30:.1f} GiB"
            raise ImportFileError(f"reading it may take {needed} of memory, over the limit of 1 GiB: split it")
        return decode_json(self.utf8, type_)

    def lines(self, *, keepends: bool = False) -> Iterator[tuple[int, str]]:
        """Yield the lines of the text, numbered from 1. Bytes that are no text are replaced: a log may hold anything.

        Raises:
            ImportProblem: there are too many.

        """
        reader = io.TextIOWrapper(io.BytesIO(self.utf8), encoding="utf-8", errors="replace", newline="")
        for number, line in enumerate(iter(lambda: reader.readline(_PIECE_BYTES), ""), 1):
            if number > LINES_LIMIT:
                raise ImportFileError(f"more than {LINES_LIMIT:,} lines")
            yield number, line if keepends else line.rstrip("\r\n")

    @cached_property
    def memory_bytes(self) -> int:
        """The memory that reading the whole as JSON would take at its peak, estimated from above."""
        text = self.utf8
        containers = text.count(b"[") + text.count(b"{")
        values = text.count(b",") + containers
        objects = values * _VALUE_BYTES + containers * _CONTAINER_BYTES
        return _IDLE_BYTES + len(text) + self._characters_bytes + objects

    @cached_property
    def _characters_bytes(self) -> int:
        return len(self.utf8) * (_ASCII if self.utf8.isascii() else _WIDEST)

    def _peek(self, data: bytes) -> dict[str, msgspec.Raw]:
        return {} if self.memory_bytes > MEMORY_LIMIT_BYTES else keys_of(data)


def keys_of(data: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Return the top level of a JSON object, or an empty one where `data` holds something else."""
    try:
        return decode_json(data, dict[str, msgspec.Raw])
    except ImportFileError:
        return {}


def first_of(data: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Return the top level of the first object of a JSON array, or an empty one."""
    try:
        items = decode_json(data, list[msgspec.Raw])
    except ImportFileError:
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
        raise ImportFileError("nested too deeply") from None
    except UnicodeDecodeError as error:
        raise ImportFileError(f"not UTF-8 at byte {error.start}") from None
    except msgspec.DecodeError as error:
        if not re.search(rb"\b(?:NaN|Infinity)\b", bytes(data)):
            raise ImportFileError(_malformed(error)) from None
    return _decode_python_json(bytes(data), type_)


def read_document(path: str, sample_keys: Collection[str] = ()) -> Document:
    """Return the file or the folder `path`; arrays under `sample_keys` are thinned if a file is too large.

    Raises:
        ImportProblem: it is missing, unreadable, no regular file, or too large.

    """
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            return Document(path, b"", is_folder=True, modified_s=status.st_mtime)
        if not stat.S_ISREG(status.st_mode):
            raise ImportFileError("not a regular file")
        if status.st_size > (THINNED_LIMIT_BYTES if sample_keys else SIZE_LIMIT_BYTES):
            raise ImportFileError(_too_large(status.st_size))
        with open(path, "rb") as file:
            data = _gathered(unpacked(file))
        document = None if data is None else Document(path, data, modified_s=status.st_mtime)
        if sample_keys and (document is None or document.memory_bytes > MEMORY_LIMIT_BYTES):
            with open(path, "rb") as file:
                thinned = _gathered(thin(_limited(unpacked(file)), sample_keys))
            if thinned is not None and thinned != data:
                document = Document(path, thinned, is_thinned=True, modified_s=status.st_mtime)
    except FileNotFoundError:
        raise ImportFileError("no such file") from None
    except (OSError, ValueError) as error:
        raise ImportFileError(f"cannot be read: {(getattr(error, 'strerror', None) or str(error)).lower()}") from None
    if document is None:
        raise ImportFileError(_too_large(status.st_size))
    return document


def _too_large(size: int) -> str:
    if size > SIZE_LIMIT_BYTES:
        return f"{size:,} bytes, over the limit of {SIZE_LIMIT_BYTES:,}"
    return f"unpacks to more than the limit of {SIZE_LIMIT_BYTES:,} bytes"


def _gathered(pieces: Iterable[bytes]) -> bytes | None:
    """Return the pieces as one, or None as soon as they are over the limit."""
    whole = io.BytesIO()
    for piece in pieces:
        if whole.tell() + len(piece) > SIZE_LIMIT_BYTES:
            return None
        whole.write(piece)
    return whole.getvalue()


def _limited(pieces: Iterable[bytes]) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > THINNED_LIMIT_BYTES:
            raise ImportFileError(f"holds more than {THINNED_LIMIT_BYTES:,} bytes, too many to thin")
        yield piece


def unpacked(file: BinaryIO) -> Iterator[bytes]:
    """Yield the content of a file in pieces, decompressed if it is a gzip.

    Raises:
        ImportProblem: the gzip is truncated or damaged.

    """
    data = file.read(_PIECE_BYTES)
    if not data.startswith(_GZIP):
        while data:
            yield data
            data = file.read(_PIECE_BYTES)
        return
    while data.startswith(_GZIP):
        stream = zlib.decompressobj(wbits=31)
        while not stream.eof:
            try:
                part = stream.decompress(data, _PIECE_BYTES)
            except zlib.error:
                raise ImportFileError("damaged gzip") from None
            data = stream.unconsumed_tail or (b"" if stream.eof else file.read(_PIECE_BYTES))
            if not part and not data and not stream.eof:
                raise ImportFileError("truncated gzip")
            yield part
        data = stream.unused_data + file.read(_PIECE_BYTES)


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
        raise ImportFileError("nested too deeply") from None
    except msgspec.ValidationError as error:
        raise _misfit(error) from None
    except ValueError as error:
        raise ImportFileError(f"malformed JSON: {str(error)[:1].lower()}{str(error)[1:]}") from None


def _text_again(value: object) -> msgspec.Raw:
    import json

    try:
        return msgspec.Raw(msgspec.json.encode(value))  # invalid numbers become null
    except OverflowError:  # a whole number of more than 64 bits
        return msgspec.Raw(json.dumps(value).encode())


def _misfit(error: msgspec.ValidationError) -> ImportFileError:
    problem, _, place = str(error).partition(" - at `$")
    return ImportFileError(problem[:1].lower() + problem[1:], place=place.removesuffix("`").removeprefix("."))


def _malformed(error: msgspec.DecodeError) -> str:
    text = str(error)
    return "empty or truncated JSON" if "truncated" in text else text.replace("JSON is m", "m")
