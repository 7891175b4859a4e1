"""Uploads in parts as S3 does them, unsigned: initiate, upload parts in any order, complete with the list of them."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from xml.parsers import expat

from aether_stream_bench.server.digest import hash_for
from aether_stream_bench.server.handlers import BodyHandler, BufferedBody, StaticResponse, not_allowed
from aether_stream_bench.server.http.message import Response, decimal
from aether_stream_bench.server.state import MAX_PARTS, Part
from aether_stream_bench.wire import Receipt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aether_stream_bench.server.http.message import RequestHead
    from aether_stream_bench.server.state import ServerState, Upload


def s3_sink(head: RequestHead, depot: ServerState) -> BodyHandler:  # noqa: PLR0911 - a line a request
    """Initiate, upload parts in any order, complete with the list of them: as S3 does it, unsigned."""
    if "uploads" in head.query:
        if head.method != "POST":
            return not_allowed("POST")
        key, _ = depot.create_upload()
        return StaticResponse(_xml("InitiateMultipartUploadResult", f"<UploadId>{key}</UploadId>"))
    key = head.query["uploadId"]
    upload = depot.find(key)
    if upload is None:
        return StaticResponse(_s3_error(HTTPStatus.NOT_FOUND, "NoSuchUpload"))
    if head.method == "DELETE":
        depot.forget(key)
        return StaticResponse(Response(HTTPStatus.NO_CONTENT))
    if head.method == "POST":
        return BufferedBody(lambda said: _assembled(depot, key, upload, said))
    number = decimal(head.query.get("partNumber", ""))
    if head.method != "PUT":
        return not_allowed("PUT", "POST", "DELETE")
    if number is None or not 1 <= number <= MAX_PARTS:
        return StaticResponse(_s3_error(HTTPStatus.BAD_REQUEST, "InvalidArgument"))
    return _PartSink(head, upload, number)


class _PartSink:
    """A part of an S3-style upload, whose tag is its digest where one was asked for, and else its count."""

    def __init__(self, head: RequestHead, upload: Upload, number: int) -> None:
        self._hash = hash_for(head)
        self.write = None if self._hash is None else self._hash.update
        self._upload, self._number = upload, number

    def finish(self, count: int, trailers: Mapping[str, str]) -> Response:  # noqa: ARG002 - the interface's
        tag = f"{self._number}-{count}" if self._hash is None else self._hash.hexdigest()
        self._upload.parts[self._number] = Part(count, tag)
        return Response(HTTPStatus.OK, fields=(("ETag", f'"{tag}"'),))


def _assembled(depot: ServerState, key: str, upload: Upload, said: bytes) -> Response:
    named = _parts_in(said)
    if not named:
        return _s3_error(HTTPStatus.BAD_REQUEST, "MalformedXML")
    numbers = [number for number, _ in named]
    if numbers != sorted(set(numbers)):
        return _s3_error(HTTPStatus.BAD_REQUEST, "InvalidPartOrder")
    if any(number not in upload.parts or upload.parts[number].tag != tag for number, tag in named):
        return _s3_error(HTTPStatus.BAD_REQUEST, "InvalidPart")
    depot.forget(key)
    receipt = depot.receipt(Receipt(bytes=sum(upload.parts[number].bytes for number in numbers)))
    content = f"<ETag>&quot;{key}-{len(named)}&quot;</ETag><Size>{receipt.bytes}</Size>"
    return _xml("CompleteMultipartUploadResult", content)


def _parts_in(said: bytes) -> list[tuple[int, str]]:
    """Return the number and tag of each part that a completion lists; none where it is malformed."""
    parts: list[dict[str, str]] = []
    text: list[str] = []

    def start(name: str, _attributes: dict[str, str]) -> None:
        text.clear()
        if _local(name) == "Part":
            parts.append({})

    def end(name: str) -> None:
        if parts and _local(name) in {"PartNumber", "ETag"}:
            parts[-1][_local(name)] = "".join(text).strip()
        text.clear()

    def refuse(*_declared: object) -> None:
        raise ValueError("a document type, in which there may be entities that grow")

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text.append, refuse
    try:
        parser.Parse(said, True)
    except (expat.ExpatError, ValueError):
        return []
    named = [(decimal(part.get("PartNumber", "")), part.get("ETag", "").strip('"')) for part in parts]
    whole = [(number, tag) for number, tag in named if number is not None and tag]
    return whole if len(whole) == len(named) else []


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _xml(name: str, content: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}>{content}</{name}>'.encode()
    return Response(status, body, media_type="application/xml")


def _s3_error(status: HTTPStatus, code: str) -> Response:
    return _xml("Error", f"<Code>{code}</Code>", status)
