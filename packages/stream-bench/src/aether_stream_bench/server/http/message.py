"""HTTP messages as values: the head of a request, its validation, and a response. Pure."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

UPLOAD_METHODS = frozenset({"PUT", "POST", "PATCH"})
#: The versions that are spoken, the highest last.
VERSIONS = ("1.0", "1.1")
#: A number with this many digits exceeds every limit; Python refuses to read more than 4,300.
MAX_DIGITS = 20


class HttpError(Exception):
    """A request that cannot be handled. The connection is closed after the response: the next request is unknown."""

    def __init__(self, status: HTTPStatus) -> None:
        """Refuse with `status`."""
        super().__init__(status)
        self.status = status


class RequestHead(Struct, frozen=True, kw_only=True):
    """The head of a request; the names in `fields` are in lower case, and the first of several values counts."""

    method: str
    path: str
    query: dict[str, str]
    fields: dict[str, str]

    def length(self) -> int | None:
        """Return the length that is announced, None for a body in chunks."""
        return None if "transfer-encoding" in self.fields else decimal(self.fields.get("content-length", "0"))


class Response(Struct, frozen=True):
    """A response; `fields` are header fields in addition to the common ones."""

    status: HTTPStatus
    body: bytes = b""
    fields: tuple[tuple[str, str], ...] = ()
    media_type: str = "application/json"

    def encode(self, *, closing: bool, without_body: bool = False) -> bytes:
        """Return the bytes of it; an answer to HEAD is without its body."""
        lines = [f"HTTP/1.1 {self.status.value} {self.status.phrase}"]
        if self.status != HTTPStatus.NO_CONTENT:
            lines.append(f"Content-Length: {len(self.body)}")
        if self.body:
            lines.append(f"Content-Type: {self.media_type}")
        lines += [f"{name}: {value}" for name, value in self.fields]
        if closing:
            lines.append("Connection: close")
        return "\r\n".join([*lines, "", ""]).encode() + (b"" if without_body else self.body)


def json_answer(content: object, status: HTTPStatus = HTTPStatus.OK, **fields: str) -> Response:
    """Return an answer with JSON; in the names of `fields` an underscore stands for a dash."""
    named = tuple((name.replace("_", "-"), value) for name, value in fields.items())
    return Response(status, msgspec.json.encode(content), named)


def decimal(text: str) -> int | None:
    """Return the number in decimal digits that `text` is, read to MAX_DIGITS of them; None if it is none."""
    return int(text.lstrip("0")[:MAX_DIGITS] or "0") if text.isascii() and text.isdigit() else None


def spoken_version(version: str) -> str:
    """Return the version to treat a message of `version` as: the highest supported minor version at most.

    RFC 9110, 2.5: a recipient treats a higher minor version as the highest that it supports.
    """
    return VERSIONS[-1] if version.startswith("1.") and version not in VERSIONS else version


def validate_head(method: str, target: str, version: str, fields: Sequence[tuple[str, str]]) -> RequestHead:
    """Return the head that a parser has read, if the end and the target of the request are unambiguous.

    The parser (llhttp) rejects invalid HTTP, two lengths, and a length together with chunks. RFC 9112 requires more:
    one Host (3.2), chunks in HTTP/1.1 only and no other coding (6.1), and a supported version.

    Raises:
        RefusedError: one of them does not hold.

    """
    if version not in VERSIONS:
        raise HttpError(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
    names = [name for name, _ in fields]
    hosts = names.count("host")
    if hosts > 1 or (hosts == 0 and version == "1.1"):
        raise HttpError(HTTPStatus.BAD_REQUEST)
    first = dict(reversed(fields))
    host = first.get("host", "")
    if any(character in host for character in '@/?# ,\t"\\<>'):
        raise HttpError(HTTPStatus.BAD_REQUEST)
    if "transfer-encoding" in first:
        if version == "1.0":
            raise HttpError(HTTPStatus.BAD_REQUEST)
        if first["transfer-encoding"].lower() != "chunked":
            raise HttpError(HTTPStatus.NOT_IMPLEMENTED)
    if "upgrade" in first or method == "CONNECT":
        raise HttpError(HTTPStatus.NOT_IMPLEMENTED)
    if "expect" in first and first["expect"].lower() != "100-continue":
        raise HttpError(HTTPStatus.EXPECTATION_FAILED)
    path, _, query = target.partition("?")
    return RequestHead(
        method=method,
        path=unquote(path),
        query=dict(parse_qsl(query, keep_blank_values=True, max_num_fields=len(query) + 1)),
        fields=first,
    )
