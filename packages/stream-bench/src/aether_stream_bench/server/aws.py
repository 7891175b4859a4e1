"""Bodies as S3's clients send them where they sign or sum up on the way: `aws-chunked`, chunks within the body.

Each chunk has its size first, and optionally a signature as its extension; fields with a checksum follow the last one.
This is the grammar of HTTP's own chunks, and the same code reads it. Signatures and AWS's checksums are ignored.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aether_stream_bench.server.http.body import ChunkedBody, InvalidBodyError
from aether_stream_bench.server.http.message import json_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aether_stream_bench.server.handlers import BodyHandler
    from aether_stream_bench.server.http.message import RequestHead, Response
    from aether_stream_bench.server.limits import Limits


def is_aws_chunked(head: RequestHead) -> bool:
    """Return whether a body has chunks of its own within."""
    codings = head.fields.get("content-encoding", "").lower().split(",")
    streamed = head.fields.get("x-amz-content-sha256", "").startswith("STREAMING-")
    return streamed or "aws-chunked" in (coding.strip() for coding in codings)


class AwsChunked:
    """Splits the chunks of a body and passes their content to another handler."""

    def __init__(self, head: RequestHead, sink: BodyHandler, limits: Limits) -> None:
        """Take the body of `head` for `sink`."""
        self._sink = sink
        self._body = ChunkedBody(sink.write, limits)
        self._announced = head.fields.get("x-amz-decoded-content-length")
        self._is_broken = False

    def write(self, body: memoryview) -> None:
        """Handle a piece of the body; data after its end is ignored."""
        if self._is_broken:
            return
        piece = bytearray(body)
        try:
            at = self._body.feed(piece, 0, len(piece)) if not self._body.complete else 0
        except InvalidBodyError:
            self._is_broken = True
        else:
            self._is_broken = at < len(piece)

    def finish(self, count: int, trailers: Mapping[str, str]) -> Response:  # noqa: ARG002 - the interface's
        """Return the other handler's response, or an error if the body has no such chunks."""
        body = self._body
        if self._is_broken or not body.complete or self._announced not in {None, str(body.count)}:
            return json_answer({"error": "no whole aws-chunked"}, HTTPStatus.BAD_REQUEST)
        return self._sink.finish(body.count, {**trailers, **body.trailers})
