"""Choose the handler of a body by method, path and query."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from aether_stream_bench.server.aws import AwsChunked, is_aws_chunked
from aether_stream_bench.server.handlers import BodyHandler, MultipartUpload, SingleUpload, StaticResponse, Statistics
from aether_stream_bench.server.http.message import UPLOAD_METHODS, Response, json_answer
from aether_stream_bench.server.resumable import RESUMABLE, resumable_sink
from aether_stream_bench.server.s3 import s3_sink
from aether_stream_bench.server.two_phase import TWO_PHASE, two_phase_sink
from aether_stream_bench.wire import STATISTICS_PATH

if TYPE_CHECKING:
    from aether_stream_bench.server.http.message import RequestHead
    from aether_stream_bench.server.state import ServerState

#: RFC 2046, 5.1.1: 1 to 70 characters.
_BOUNDARY = re.compile(r';[ \t]*boundary=(?:"([ !#-\[\]-~]{1,70})"|([!#-:<-~]{1,70}))[ \t]*(?:;|$)', re.IGNORECASE)


def handler_for(head: RequestHead, depot: ServerState) -> BodyHandler:
    """Return where the body of a request goes, by its method, path and query."""
    sink = _sink_for(head, depot)
    is_within = is_aws_chunked(head) and not isinstance(sink, StaticResponse)
    return AwsChunked(head, sink, depot.limits) if is_within else sink


def _sink_for(head: RequestHead, depot: ServerState) -> BodyHandler:  # noqa: PLR0911 - a line a kind
    first = "/" + head.path.lstrip("/").partition("/")[0]
    if head.path == STATISTICS_PATH and head.method == "GET":
        return Statistics(depot)
    if first == RESUMABLE:
        return resumable_sink(head, depot)
    if first == TWO_PHASE:
        return two_phase_sink(head, depot)
    if "uploads" in head.query or "uploadId" in head.query:
        return s3_sink(head, depot)
    if head.method not in {"PUT", "POST"}:
        return StaticResponse(Response(HTTPStatus.METHOD_NOT_ALLOWED, fields=(("Allow", "PUT, POST"),)))
    media_type = head.fields.get("content-type", "")
    if media_type.lower().startswith("multipart/form-data"):
        boundary = _boundary(media_type)
        if boundary is None:
            return StaticResponse(json_answer({"error": "no boundary"}, HTTPStatus.BAD_REQUEST))
        return MultipartUpload(head, depot, boundary)
    return SingleUpload(head, depot)


def is_upload(head: RequestHead) -> bool:
    """Return whether a request carries a body, so that faults apply to it."""
    return head.method in UPLOAD_METHODS and head.length() != 0


def _boundary(media_type: str) -> bytes | None:
    """Return the boundary that a media type names.

    The parser of headers in `email` takes seconds for a media type of semicolons and fails on some that continue a
    parameter (RFC 2231), which a boundary does not need.
    """
    match = _BOUNDARY.search(media_type)
    return (match[1] or match[2]).encode() if match else None
