"""The framing of bodies: RFC 9112, 6.2 and 7.1, without copying the body.

llhttp reads the heads. It would copy every body out of the buffer, which costs as much as receiving it, so that bodies
do not pass through it. Anything outside the grammar of RFC 9112 is rejected, because request smuggling depends on two
ends that read a size differently.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httptools

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether_stream_bench.server.limits import Limits

#: 1 to 15 hexadecimal digits, up to 2^60, and an extension, which is not looked at.
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[\t ]*;[\t\x20-\x7e\x80-\xff]*)?")
CRLF = b"\r\n"
END_OF_HEAD = b"\r\n\r\n"
#: Most chunks of a body have one of a few sizes; their lines are understood once.
_KNOWN_LINES = 64


class InvalidBodyError(ValueError):
    """The received data is no valid body."""


class LengthBody:
    """A body of announced length."""

    def __init__(self, length: int, write: Callable[[memoryview], object] | None) -> None:
        """Take `length` bytes and hand them to `write`."""
        self.count = 0
        self.complete = not length
        self.trailers: dict[str, str] = {}
        self._missing = length
        self._write = write

    def feed(self, buffer: bytearray, at: int, end: int) -> int:
        """Handle the part of the body in the bytes from `at` up to `end`; return the place of its end."""
        size = min(self._missing, end - at)
        self._missing -= size
        self.count += size
        if self._write is not None:
            self._write(memoryview(buffer)[at : at + size])
        self.complete = not self._missing
        return at + size


class ChunkedBody:
    """A body in chunks, and the fields behind it."""

    def __init__(self, write: Callable[[memoryview], object] | None, limits: Limits) -> None:
        """Pass the content of chunks to `write`; lines and trailers have the same bounds as heads."""
        self.count = 0
        self.complete = False
        self.trailers: dict[str, str] = {}
        self._write = write
        self._most = limits.head_bytes
        self._most_fields = limits.head_fields
        self._sizes: dict[bytes, int] = {}
        #: The bytes missing of the chunk, including its line break; 0 between two chunks.
        self._missing = 0
        self._partial = b""
        self._is_last = False

    def feed(self, buffer: bytearray, at: int, end: int) -> int:
        """Handle the part of the body in the bytes from `at` up to `end`; return the place of its end.

        Raises:
            InvalidBodyError: it is none.

        """
        while at < end:
            if self._is_last:
                at = self._take_trailer(buffer, at, end)
                if self.complete:
                    return at
            elif self._missing:
                at = self._take_data(buffer, at, end)
            elif self._partial:
                at = self._resume_size_line(buffer, at, end)
            else:
                stop = buffer.find(CRLF, at, end)
                if stop < 0:
                    self._partial = bytes(buffer[at:end])
                    self._check_partial_line()
                    return end
                self._begin_chunk(bytes(buffer[at:stop]))
                at = stop + 2
        return at

    def _begin_chunk(self, line: bytes) -> None:
        size = self._sizes.get(line)
        if size is None:
            match = _SIZE_LINE.fullmatch(line)
            if match is None or len(line) > self._most:
                raise InvalidBodyError("the size of a chunk")
            size = int(match[1], 16)
            if len(self._sizes) < _KNOWN_LINES and len(line) < _KNOWN_LINES:
                self._sizes[line] = size
        if size:
            self._missing = size + 2
        else:
            self._is_last = True

    def _take_data(self, buffer: bytearray, at: int, end: int) -> int:
        size = min(self._missing - 2, end - at)
        if size > 0:
            self.count += size
            self._missing -= size
            if self._write is not None:
                self._write(memoryview(buffer)[at : at + size])
            at += size
        while self._missing <= 2 and self._missing and at < end:
            if buffer[at] != CRLF[2 - self._missing]:
                raise InvalidBodyError("the end of a chunk")
            self._missing -= 1
            at += 1
        return at

    def _resume_size_line(self, buffer: bytearray, at: int, end: int) -> int:
        """Go on with a line of which a part has come before."""
        if self._partial.endswith(b"\r"):
            if buffer[at] != CRLF[1]:
                raise InvalidBodyError("a line break in the size of a chunk")
            line, self._partial = self._partial[:-1], b""
            self._begin_chunk(line)
            return at + 1
        stop = buffer.find(CRLF, at, end)
        self._partial += buffer[at : end if stop < 0 else stop]
        self._check_partial_line()
        if stop < 0:
            return end
        line, self._partial = self._partial, b""
        self._begin_chunk(line)
        return stop + 2

    def _check_partial_line(self) -> None:
        """Refuse a line that goes on and on, or has begun as none of a chunk can."""
        if len(self._partial) > self._most or not re.match(rb"[0-9A-Fa-f]{1,15}(?:[\t ]*;|[\t ]*\r?$)", self._partial):
            raise InvalidBodyError("the size of a chunk")

    def _take_trailer(self, buffer: bytearray, at: int, end: int) -> int:
        """Collect the fields behind the last chunk up to the empty line."""
        before = len(self._partial)
        joined = self._partial + bytes(buffer[at : min(end, at + self._most + len(END_OF_HEAD))])
        if joined.startswith(CRLF):
            stop = len(CRLF)
        else:
            found = joined.find(END_OF_HEAD)
            stop = found + len(END_OF_HEAD) if found >= 0 else -1
        if stop < 0:
            if len(joined) > self._most or (joined[:1] == b"\r" and joined not in CRLF):
                raise InvalidBodyError("the fields behind a body")
            self._partial = joined
            return end
        if joined.count(CRLF, 0, stop) > self._most_fields + 1:
            raise InvalidBodyError("too many fields behind a body")
        self.trailers = fields_of(joined[:stop])
        self.complete = True
        return at + stop - before


class _Fields:
    """Takes the fields of a trailer from a parser."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}

    def on_header(self, name: bytes, value: bytes | None) -> None:
        self.fields[name.decode("latin-1").lower()] = (value or b"").decode("latin-1").strip(" \t")


def fields_of(trailer: bytes) -> dict[str, str]:
    """Return the fields of a trailer, parsed as those of a head.

    Raises:
        InvalidBodyError: they are invalid, or announce the length of a body, which is too late.

    """
    reader = _Fields()
    try:
        httptools.HttpRequestParser(reader).feed_data(b"GET / HTTP/1.1\r\n" + trailer)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        raise InvalidBodyError("the fields behind a body") from None
    if reader.fields.keys() & {"content-length", "transfer-encoding", "host"}:
        raise InvalidBodyError("a field that is none of a trailer")
    return reader.fields
