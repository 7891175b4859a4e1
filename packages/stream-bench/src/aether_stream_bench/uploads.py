"""The kinds of uploads, as sequences of requests that any uploader can send, and their retries.

An upload is retried after a broken connection, 429 and every 5xx. A resumable upload continues from the server's
offset, an upload of several requests repeats the failed request, any other upload starts again. The time to recover
lasts from the failure until as much is sent as before.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from time import perf_counter_ns
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec
from msgspec import Struct

from aether_stream_bench.chunk_timer import ChunkTimer
from aether_stream_bench.client.base import Body, Reply, UploadError
from aether_stream_bench.wire import DIGEST_HEADER, Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from aether_stream_bench.client.base import Client, Endpoint
    from aether_stream_bench.payload import Payload

T = TypeVar("T")
Kind = Literal["chunked", "length", "expect", "post", "form", "two-phase", "resumable", "s3"]

#: A whole body is sent in pieces of this size, unless its chunks are sent.
PIECE_BYTES = 2**20
#: The least that S3 takes as a part, but for the last.
PART_BYTES = 8 * 2**20
BOUNDARY = "aether-4d1f6a0b7c"
MAX_WAIT_S = 30.0
_BUSY = 429
_OK = range(200, 300)
_FAILED = range(500, 600)
_UPLOAD_ID = re.compile(rb"<UploadId>([^<]+)</UploadId>")
_SIZE = re.compile(rb"<Size>(\d+)</Size>")
_DRAIN = re.compile(r"drain;dur=([\d.]+)")


class UploadResult(Struct, frozen=True, kw_only=True):
    """An upload that went well: the server's receipt, None from a server that gives none, and where the time went."""

    receipt: Receipt | None
    phases_ns: dict[str, int] = {}
    retries: int = 0


class Uploader:
    """Uploads of one payload by one client to the path `target`."""

    def __init__(
        self, client: Client, endpoint: Endpoint, payload: Payload, *, kind: Kind = "chunked", retries: int = 0
    ) -> None:
        """Upload `payload` to `endpoint` as `kind`, and try each upload again at most `retries` times."""
        self._client = client
        self._endpoint = endpoint
        self._payload = payload
        self._kind = kind
        self._target = endpoint.target
        self._retries = retries
        #: How long the chunks have taken, of all uploads so far.
        self.pace = ChunkTimer()
        self._kinds: dict[Kind, Callable[[dict[str, str]], Receipt | None]] = {
            "chunked": self._single_request,
            "length": self._single_request,
            "expect": self._single_request,
            "post": self._single_request,
            "form": self._form,
            "two-phase": self._two_phase,
            "resumable": self._resumable,
            "s3": self._s3,
        }
        self._reset()

    def _reset(self) -> None:
        """Forget how far an upload of several requests has come."""
        self._phases: dict[str, int] = {}
        self._reached = 0
        self._failed_ns: int | None = None
        #: The upload's location or id, once the server has returned it.
        self._places: dict[str, str] = {}
        self._put: Receipt | None = None
        self._parts: list[str] = []

    def upload(self, *, digest: bool = False) -> UploadResult:
        """Upload once, with a digest from the server where one is wanted.

        Raises:
            UploadError: it failed, and again as often as it was tried.

        """
        self._reset()
        fields = {DIGEST_HEADER: "sha256"} if digest else {}
        for attempt in range(self._retries + 1):
            try:
                receipt = self._kinds[self._kind](fields)
            except UploadError as error:
                if not error.is_transient or attempt == self._retries:
                    raise
                self._failed_ns = self._failed_ns or perf_counter_ns()
                time.sleep(min(error.retry_after_s, MAX_WAIT_S))
            else:
                self._note_recovery()
                return UploadResult(receipt=receipt, phases_ns=self._phases, retries=attempt)
        raise AssertionError  # the last attempt returned or raised

    def _note_recovery(self) -> None:
        if self._failed_ns is not None:
            self._phases["recover"] = self._phases.get("recover", 0) + perf_counter_ns() - self._failed_ns
            self._failed_ns = None

    def _track_progress(self, pieces: Iterator[memoryview], at: int) -> Iterator[memoryview]:
        """Pass pieces on, noting how far they come, and when that is as far as before a failure."""
        for piece in pieces:
            if at >= self._reached:
                self._note_recovery()
            yield piece
            at += len(piece)
            self._reached = max(self._reached, at)

    def _pieces(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        chunked = self._kind in {"chunked", "expect", "post", "two-phase", "resumable"}
        pieces = self._payload.pieces(self._payload.chunk if chunked else PIECE_BYTES, start, stop)
        return self._track_progress(pieces, start) if self._retries else pieces

    def _request(self, method: str, target: str, fields: Mapping[str, str], body: Body | None = None) -> Reply:
        """Send a request and return its answer, if it is a good one; add its phases to the upload's.

        Raises:
            UploadError: the answer is another; passing, where the server may do better later.

        """
        reply = self._client.request(method, target, fields, body)
        for name, elapsed_ns in reply.phases_ns.items():
            self._phases[name] = self._phases.get(name, 0) + elapsed_ns
        drain = _DRAIN.search(reply.fields.get("server-timing", ""))
        if drain is not None and body is not None:
            self._phases["drain"] = self._phases.get("drain", 0) + int(float(drain[1]) * 1e6)
        if reply.status in _OK:
            return reply
        later = 0.0
        with suppress(ValueError):
            later = max(0.0, float(reply.fields.get("retry-after", "0")))
        raise UploadError(
            f"{self._endpoint.authority}: the server answered {reply.status}",
            is_transient=reply.status == _BUSY or reply.status in _FAILED,
            retry_after_s=later,
        )

    def _receipt(self, reply: Reply) -> Receipt | None:
        """Return the receipt that an answer holds, None from a server that gives none."""
        return self._decoded(reply, Receipt) if self._endpoint.is_mock_server else None

    def _decoded(self, reply: Reply, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(reply.body, type=kind)
        except (ValueError, msgspec.MsgspecError) as error:
            raise UploadError(f"{self._endpoint.authority}: the server's receipt is none: {error}") from None

    def _body(self) -> Body:
        chunked = self._kind != "length"
        pace = self.pace if chunked else None
        return Body(pieces=self._pieces(), size=self._payload.size, chunked=chunked, pace=pace)

    def _single_request(self, fields: dict[str, str]) -> Receipt | None:
        expecting = {"Expect": "100-continue"} if self._kind == "expect" else {}
        method = "POST" if self._kind == "post" else "PUT"
        return self._receipt(self._request(method, self._target, {**fields, **expecting}, self._body()))

    def _form(self, fields: dict[str, str]) -> Receipt | None:
        disposition = 'Content-Disposition: form-data; name="file"; filename="payload"'
        head = f"--{BOUNDARY}\r\n{disposition}\r\nContent-Type: application/octet-stream\r\n\r\n".encode()
        tail = f"\r\n--{BOUNDARY}--\r\n".encode()

        def pieces() -> Iterator[memoryview]:
            yield memoryview(head)
            yield from self._pieces()
            yield memoryview(tail)

        body = Body(pieces=pieces(), size=len(head) + self._payload.size + len(tail), chunked=False)
        media_type = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        return self._receipt(self._request("POST", self._target, {**fields, **media_type}, body))

    def _two_phase(self, fields: dict[str, str]) -> Receipt | None:
        if not self._places:
            self._places = self._decoded(self._request("POST", "/two-phase", fields), dict[str, str])
        if self._put is None:
            self._put = self._receipt(self._request("PUT", self._places["place"], {}, self._body()))
        said = msgspec.json.encode(self._put)
        body = Body(pieces=[memoryview(said)], size=len(said), chunked=False)
        return self._receipt(
            self._request("POST", self._places["complete"], {"Content-Type": "application/json"}, body)
        )

    def _resumable(self, fields: dict[str, str]) -> Receipt | None:
        tus = {"Tus-Resumable": "1.0.0"}
        size, offset = self._payload.size, 0
        if not self._places:
            begun = self._request("POST", "/resumable", {**fields, **tus, "Upload-Length": str(size)})
            self._places = {"place": begun.fields["location"]}
        else:
            at = self._request("HEAD", self._places["place"], tus).fields.get("upload-offset", "")
            if not at.isdigit() or int(at) > size:
                raise UploadError(f"{self._endpoint.authority}: the server reports byte {at!r} of {size}")
            offset = int(at)
        patch = {**tus, "Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
        body = Body(pieces=self._pieces(offset), size=size - offset, pace=self.pace)
        return self._receipt(self._request("PATCH", self._places["place"], patch, body))

    def _s3(self, fields: dict[str, str]) -> Receipt | None:
        target = self._target
        if not self._places:
            begun = _UPLOAD_ID.search(self._request("POST", f"{target}?uploads", {}).body)
            if begun is None:
                raise UploadError(f"{self._endpoint.authority}: the server began no upload of several parts")
            self._places = {"key": begun[1].decode()}
        key = self._places["key"]
        for start in range(len(self._parts) * PART_BYTES, self._payload.size, PART_BYTES):
            number = len(self._parts) + 1
            stop = min(start + PART_BYTES, self._payload.size)
            body = Body(pieces=self._pieces(start, stop), size=stop - start, chunked=False)
            part = self._request("PUT", f"{target}?partNumber={number}&uploadId={key}", fields, body)
            tag = part.fields.get("etag", "")
            if fields and tag.strip('"') != self._payload.sha256(start, stop):
                raise UploadError(f"{self._endpoint.authority}: took in another part {number} than was sent: {tag}")
            self._parts.append(f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>")
        said = f"<CompleteMultipartUpload>{''.join(self._parts)}</CompleteMultipartUpload>".encode()
        body = Body(pieces=[memoryview(said)], size=len(said), chunked=False)
        done = self._request("POST", f"{target}?uploadId={key}", {"Content-Type": "application/xml"}, body)
        size = _SIZE.search(done.body)
        # The digests of all parts in their order serve as the digest of the whole.
        return Receipt(bytes=int(size[1]), sha256=self._payload.sha256() if fields else None) if size else None
