"""Uploads that go on from where they broke off: the core, creation and termination of tus 1.0.0."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from aether_stream_bench.server.digest import hash_for
from aether_stream_bench.server.message import Answer, decimal, json_answer
from aether_stream_bench.server.sink import Fixed, Piece, Sink, missing, not_allowed

if TYPE_CHECKING:
    from aether_stream_bench.server.depot import Depot, Upload
    from aether_stream_bench.server.message import Head

RESUMABLE = "/resumable"
#: The version of the protocol.
TUS = "1.0.0"


def resumable_sink(head: Head, depot: Depot) -> Sink:  # noqa: PLR0911 - a line a request
    """Begin, ask how far it came, go on from there: the core of tus 1.0.0."""
    _, key, *_rest = [*head.path.strip("/").split("/"), ""]
    if head.method == "OPTIONS":
        fields = (("Tus-Resumable", TUS), ("Tus-Version", TUS), ("Tus-Extension", "creation,termination"))
        return Fixed(Answer(HTTPStatus.NO_CONTENT, fields=fields))
    if head.fields.get("tus-resumable") != TUS:
        return Fixed(Answer(HTTPStatus.PRECONDITION_FAILED, fields=(("Tus-Version", TUS),)))
    if not key:
        return _begun(head, depot) if head.method == "POST" else not_allowed("POST", "OPTIONS")
    upload = depot.find(key)
    if upload is None:
        return missing()
    if head.method == "HEAD":
        return Fixed(_at(upload, HTTPStatus.OK))
    if head.method == "DELETE":
        depot.forget(key)
        return Fixed(Answer(HTTPStatus.NO_CONTENT, fields=(("Tus-Resumable", TUS),)))
    if head.method != "PATCH":
        return not_allowed("HEAD", "PATCH", "DELETE")
    return _continued(head, depot, key, upload)


def _begun(head: Head, depot: Depot) -> Sink:
    length = decimal(head.fields.get("upload-length", ""))
    if length is None:
        return Fixed(json_answer({"error": "Upload-Length"}, HTTPStatus.BAD_REQUEST))
    if length > depot.limits.body_bytes:
        return Fixed(Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, fields=(("Tus-Resumable", TUS),)))
    key, _ = depot.begin(expected=length, hashed=hash_for(head) is not None)
    fields = (("Location", f"{RESUMABLE}/{key}"), ("Tus-Resumable", TUS))
    return Fixed(Answer(HTTPStatus.CREATED, fields=fields))


def _continued(head: Head, depot: Depot, key: str, upload: Upload) -> Sink:
    if head.fields.get("content-type") != "application/offset+octet-stream":
        return Fixed(Answer(HTTPStatus.UNSUPPORTED_MEDIA_TYPE))
    if head.fields.get("upload-offset") != str(upload.received):
        return Fixed(_at(upload, HTTPStatus.CONFLICT))
    length, expected = head.length(), upload.expected or 0
    if length is not None and upload.received + length > expected:
        return Fixed(Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE))

    def answer(_count: int) -> Answer:
        if upload.received > expected:
            depot.forget(key)
            return Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if upload.received < expected:
            return _at(upload, HTTPStatus.NO_CONTENT)
        depot.forget(key)
        receipt = msgspec.json.encode(depot.receipt(upload.receipt()))
        return Answer(HTTPStatus.OK, receipt, _at(upload, HTTPStatus.OK).fields)

    return Piece(upload, answer)


def _at(upload: Upload, status: HTTPStatus) -> Answer:
    fields = [("Tus-Resumable", TUS), ("Upload-Offset", str(upload.received)), ("Cache-Control", "no-store")]
    return Answer(status, fields=(*fields, ("Upload-Length", str(upload.expected))))
