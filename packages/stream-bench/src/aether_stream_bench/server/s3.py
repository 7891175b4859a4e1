"""Uploads in parts as S3 does them, unsigned: initiate, upload parts in any order, complete with the list of them."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from aether_stream_bench.server.depot import MOST_PARTS, Part
from aether_stream_bench.server.digest import hash_for
from aether_stream_bench.server.message import Answer
from aether_stream_bench.server.sink import Fixed, Said, Sink, not_allowed
from aether_stream_bench.wire import Receipt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aether_stream_bench.server.depot import Depot, Upload
    from aether_stream_bench.server.message import Head

_PART = re.compile(rb"<Part>(.*?)</Part>", re.DOTALL)
_NUMBER = re.compile(rb"<PartNumber>\s*(\d{1,5})\s*</PartNumber>")
_TAG = re.compile(rb"<ETag>\s*(?:\"|&quot;|&#34;)?([^<\"&]+)(?:\"|&quot;|&#34;)?\s*</ETag>")


def s3_sink(head: Head, depot: Depot) -> Sink:  # noqa: PLR0911 - a line a request
    """Initiate, upload parts in any order, complete with the list of them: as S3 does it, unsigned."""
    if "uploads" in head.query:
        if head.method != "POST":
            return not_allowed("POST")
        key, _ = depot.begin()
        return Fixed(_xml("InitiateMultipartUploadResult", f"<UploadId>{key}</UploadId>"))
    key = head.query["uploadId"]
    upload = depot.find(key)
    if upload is None:
        return Fixed(_s3_error(HTTPStatus.NOT_FOUND, "NoSuchUpload"))
    if head.method == "DELETE":
        depot.forget(key)
        return Fixed(Answer(HTTPStatus.NO_CONTENT))
    if head.method == "POST":
        return Said(lambda said: _assembled(depot, key, upload, said))
    number = head.query.get("partNumber", "")
    if head.method != "PUT":
        return not_allowed("PUT", "POST", "DELETE")
    if not (number.isascii() and number.isdigit() and len(number) < 6 and 1 <= int(number) <= MOST_PARTS):
        return Fixed(_s3_error(HTTPStatus.BAD_REQUEST, "InvalidArgument"))
    return _PartSink(head, upload, int(number))


class _PartSink:
    """A part of an S3-style upload, whose tag is its digest where one was asked for, and else its count."""

    def __init__(self, head: Head, upload: Upload, number: int) -> None:
        self._hash = hash_for(head)
        self.write = None if self._hash is None else self._hash.update
        self._upload, self._number = upload, number

    def finish(self, count: int, trailers: Mapping[str, str]) -> Answer:  # noqa: ARG002 - the interface's
        tag = f"{self._number}-{count}" if self._hash is None else self._hash.hexdigest()
        self._upload.parts[self._number] = Part(count, tag)
        return Answer(HTTPStatus.OK, fields=(("ETag", f'"{tag}"'),))


def _assembled(depot: Depot, key: str, upload: Upload, said: bytes) -> Answer:
    named = []
    for part in _PART.findall(said):
        number, tag = _NUMBER.search(part), _TAG.search(part)
        if number is None or tag is None:
            return _s3_error(HTTPStatus.BAD_REQUEST, "MalformedXML")
        named.append((int(number[1]), tag[1].decode("ascii", "replace").strip()))
    numbers = [number for number, _ in named]
    if not named or numbers != sorted(set(numbers)):
        return _s3_error(HTTPStatus.BAD_REQUEST, "InvalidPartOrder" if named else "MalformedXML")
    if any(number not in upload.parts or upload.parts[number].tag != tag for number, tag in named):
        return _s3_error(HTTPStatus.BAD_REQUEST, "InvalidPart")
    depot.forget(key)
    receipt = depot.receipt(Receipt(bytes=sum(upload.parts[number].bytes for number in numbers)))
    content = f"<ETag>&quot;{key}-{len(named)}&quot;</ETag><Size>{receipt.bytes}</Size>"
    return _xml("CompleteMultipartUploadResult", content)


def _xml(name: str, content: str, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}>{content}</{name}>'.encode()
    return Answer(status, body, media_type="application/xml")


def _s3_error(status: HTTPStatus, code: str) -> Answer:
    return _xml("Error", f"<Code>{code}</Code>", status)
