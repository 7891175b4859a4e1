"""Two-phase uploads: request an upload, PUT the bytes, complete it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from aether_stream_bench.server.digest import hash_for
from aether_stream_bench.server.handlers import (
    BodyHandler,
    BufferedBody,
    PartialUpload,
    StaticResponse,
    not_allowed,
    not_found,
)
from aether_stream_bench.server.http.message import Response, json_answer

if TYPE_CHECKING:
    from aether_stream_bench.server.http.message import RequestHead
    from aether_stream_bench.server.state import ServerState, Upload

TWO_PHASE = "/two-phase"


class Completion(Struct, frozen=True, kw_only=True):
    """The client's claim about its upload."""

    bytes: int | None = None
    sha256: str | None = None


def two_phase_sink(head: RequestHead, depot: ServerState) -> BodyHandler:  # noqa: PLR0911 - a line a request
    """Handle the steps: request an upload, PUT the bytes, complete it."""
    _, key, *rest = [*head.path.strip("/").split("/"), ""][:3]
    if not key:
        if head.method != "POST":
            return not_allowed("POST")
        key, _ = depot.create_upload(hashed=hash_for(head) is not None)
        place = f"{TWO_PHASE}/{key}"
        answer = {"place": place, "complete": f"{place}/complete"}
        return StaticResponse(json_answer(answer, HTTPStatus.CREATED, Location=place))
    upload = depot.find(key)
    if upload is None:
        return not_found()
    if rest == ["complete"]:
        if head.method != "POST":
            return not_allowed("POST")
        return BufferedBody(lambda said: _completed(depot, key, upload, said))
    if head.method != "PUT":
        return not_allowed("PUT")
    # A repeated PUT replaces the earlier one.
    upload.restart()
    return PartialUpload(upload, lambda _: json_answer(upload.receipt()))


def _completed(depot: ServerState, key: str, upload: Upload, said: bytes) -> Response:
    try:
        completion = msgspec.json.decode(said or b"{}", type=Completion)
    except (ValueError, msgspec.MsgspecError, RecursionError):  # older releases of msgspec raise UnicodeDecodeError
        return json_answer({"error": "say it as JSON"}, HTTPStatus.BAD_REQUEST)
    receipt = upload.receipt()
    digest_differs = completion.sha256 is not None and completion.sha256 != receipt.sha256
    if digest_differs or completion.bytes not in {None, receipt.bytes}:
        return json_answer({"error": "another upload", "got": receipt}, HTTPStatus.UNPROCESSABLE_ENTITY)
    depot.forget(key)
    return json_answer(depot.receipt(receipt))
