"""Uploads that go on from where they broke off: the core, creation and termination of tus 1.0.0."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from aether_stream_bench.server.digest import hash_for
from aether_stream_bench.server.handlers import BodyHandler, PartialUpload, StaticResponse, not_allowed, not_found
from aether_stream_bench.server.http.message import Response, decimal, json_answer

if TYPE_CHECKING:
    from aether_stream_bench.server.http.message import RequestHead
    from aether_stream_bench.server.state import ServerState, Upload

RESUMABLE = "/resumable"
#: The version of the protocol.
TUS = "1.0.0"


def resumable_sink(head: RequestHead, depot: ServerState) -> BodyHandler:  # noqa: PLR0911 - a line a request
    """Begin, ask how far it came, go on from there: the core of tus 1.0.0."""
    _, key, *_rest = [*head.path.strip("/").split("/"), ""]
    if head.method == "OPTIONS":
        fields = (("Tus-Resumable", TUS), ("Tus-Version", TUS), ("Tus-Extension", "creation,termination"))
        return StaticResponse(Response(HTTPStatus.NO_CONTENT, fields=fields))
    if head.fields.get("tus-resumable") != TUS:
        return StaticResponse(Response(HTTPStatus.PRECONDITION_FAILED, fields=(("Tus-Version", TUS),)))
    if not key:
        return _begun(head, depot) if head.method == "POST" else not_allowed("POST", "OPTIONS")
    upload = depot.find(key)
    if upload is None:
        return not_found()
    if head.method == "HEAD":
        return StaticResponse(_at(upload, HTTPStatus.OK))
    if head.method == "DELETE":
        depot.forget(key)
        return StaticResponse(Response(HTTPStatus.NO_CONTENT, fields=(("Tus-Resumable", TUS),)))
    if head.method != "PATCH":
        return not_allowed("HEAD", "PATCH", "DELETE")
    return _continued(head, depot, key, upload)


def _begun(head: RequestHead, depot: ServerState) -> BodyHandler:
    length = decimal(head.fields.get("upload-length", ""))
    if length is None:
        return StaticResponse(json_answer({"error": "Upload-Length"}, HTTPStatus.BAD_REQUEST))
    if length > depot.limits.body_bytes:
        return StaticResponse(Response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, fields=(("Tus-Resumable", TUS),)))
    key, _ = depot.create_upload(expected=length, hashed=hash_for(head) is not None)
    fields = (("Location", f"{RESUMABLE}/{key}"), ("Tus-Resumable", TUS))
    return StaticResponse(Response(HTTPStatus.CREATED, fields=fields))


def _continued(head: RequestHead, depot: ServerState, key: str, upload: Upload) -> BodyHandler:
    if head.fields.get("content-type") != "application/offset+octet-stream":
        return StaticResponse(Response(HTTPStatus.UNSUPPORTED_MEDIA_TYPE))
    if head.fields.get("upload-offset") != str(upload.received):
        return StaticResponse(_at(upload, HTTPStatus.CONFLICT))
    length, expected = head.length(), upload.expected or 0
    if length is not None and upload.received + length > expected:
        return StaticResponse(Response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE))

    def answer(_count: int) -> Response:
        if upload.received > expected:
            depot.forget(key)
            return Response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if upload.received < expected:
            return _at(upload, HTTPStatus.NO_CONTENT)
        depot.forget(key)
        receipt = msgspec.json.encode(depot.receipt(upload.receipt()))
        return Response(HTTPStatus.OK, receipt, _at(upload, HTTPStatus.OK).fields)

    return PartialUpload(upload, answer)


def _at(upload: Upload, status: HTTPStatus) -> Response:
    fields = [("Tus-Resumable", TUS), ("Upload-Offset", str(upload.received)), ("Cache-Control", "no-store")]
    return Response(status, fields=(*fields, ("Upload-Length", str(upload.expected))))
