"""One connection's requests, as bytes come in: each is parsed, bounded and handed to its sink, and answers queue up."""

from __future__ import annotations

from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING, Literal

import httptools
from msgspec import Struct

from aether_stream_bench.server.faults import NO_FAULT
from aether_stream_bench.server.handlers import BodyHandler, StaticResponse
from aether_stream_bench.server.http.body import END_OF_HEAD, ChunkedBody, InvalidBodyError, LengthBody
from aether_stream_bench.server.http.message import HttpError, RequestHead, Response, spoken_version, validate_head
from aether_stream_bench.server.routes import handler_for, is_upload

if TYPE_CHECKING:
    from aether_stream_bench.server.faults import FaultInjector, UploadFault
    from aether_stream_bench.server.limits import Limits
    from aether_stream_bench.server.state import ServerState

State = Literal["idle", "head", "body"]
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LEADING = b"\r\n"


class PendingSend(Struct, frozen=True):
    """Bytes to send. A fault may delay a response; an interim response is not delayed."""

    data: bytes
    is_answer: bool = True


class RequestHeadParser:
    """Reads the head of one request. The methods named `on_…` are the parser's callbacks."""

    def __init__(self, limits: Limits) -> None:
        """Read a head within `limits`."""
        self.head: RequestHead | None = None
        self.keep_alive = False
        self.version = ""
        self._limits = limits
        self._target = b""
        self._fields: list[tuple[str, str]] = []
        self._bytes = 0
        self._tail = b""
        self._parser = httptools.HttpRequestParser(self)
        # The parser knows a list of versions only; which are spoken is decided with the rest of the head.
        self._parser.set_dangerous_leniencies(lenient_version=True)

    def take(self, buffer: bytearray, at: int, end: int) -> int:
        """Handle the part of the head in the bytes from `at` up to `end`; return the place of its end.

        Raises:
            RefusedError: it is no head, or one that is not taken.

        """
        # The end of a head may span two pieces; data of other connections follows `end`.
        across = (self._tail + buffer[at : min(end, at + 3)]).find(END_OF_HEAD)
        if across >= 0:
            stop = at + across + len(END_OF_HEAD) - len(self._tail)
        else:
            found = buffer.find(END_OF_HEAD, at, end)
            stop = found + len(END_OF_HEAD) if found >= 0 else end
        ended = across >= 0 or stop < end or buffer[max(at, stop - 4) : stop] == END_OF_HEAD
        self._tail = b"" if ended else (self._tail + buffer[max(at, stop - 3) : stop])[-3:]
        self._bytes += stop - at
        self._read(memoryview(buffer)[at:stop])
        if self.head is not None and not ended:
            raise HttpError(HTTPStatus.BAD_REQUEST)
        if self.head is None and self._bytes > self._limits.head_bytes:
            raise HttpError(self._too_large())
        return stop

    def _read(self, data: memoryview) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            if isinstance(cause, HttpError):
                raise cause from None
            raise
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            raise HttpError(HTTPStatus.BAD_REQUEST) from None

    def _too_large(self) -> HTTPStatus:
        if self._fields or (self._target and self._parser.get_http_version().startswith("1.")):
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        return HTTPStatus.REQUEST_URI_TOO_LONG

    def on_url(self, target: bytes) -> None:
        """Note where the request goes; it comes in pieces."""
        self._target += target
        if len(self._target) > self._limits.head_bytes:
            raise HttpError(HTTPStatus.REQUEST_URI_TOO_LONG)

    def on_header(self, name: bytes, value: bytes | None) -> None:
        """Note a header field."""
        if len(self._fields) >= self._limits.head_fields:
            raise HttpError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        self._fields.append((name.decode("latin-1").lower(), (value or b"").decode("latin-1").strip(" \t")))

    def on_headers_complete(self) -> None:
        """Check the whole."""
        if self._bytes > self._limits.head_bytes:
            raise HttpError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        parser = self._parser
        self.version = spoken_version(parser.get_http_version())
        self.keep_alive = parser.should_keep_alive()
        self.head = validate_head(
            parser.get_method().decode(), self._target.decode("latin-1"), self.version, self._fields
        )


class HttpExchange:
    """Parses received data, counts each body, and queues responses; `closing` once it takes no more."""

    def __init__(self, depot: ServerState, weather: FaultInjector) -> None:
        """Begin with no request."""
        self.due: list[PendingSend] = []
        self.closing = False
        self.refused = False
        self.state: State = "idle"
        self._depot = depot
        self._limits = depot.limits
        self._weather = weather
        self._reader = RequestHeadParser(depot.limits)
        self._head: RequestHead | None = None
        self._body: LengthBody | ChunkedBody | None = None
        self._sink: BodyHandler = StaticResponse(Response(HTTPStatus.OK))
        self._fate: UploadFault = NO_FAULT
        self._began = 0.0
        self._accounted = 0

    @property
    def count(self) -> int:
        """The bytes of the present body, or of the last one."""
        return 0 if self._body is None else self._body.count

    def feed(self, buffer: bytearray, end: int) -> None:
        """Take in the first `end` bytes of `buffer`; a request that cannot be taken is answered and ends it all."""
        at = 0
        try:
            while at < end and not self.closing:
                take = self._take_body if self.state == "body" else self._take_head
                at = take(buffer, at, end)
        except HttpError as error:
            self._refuse(error.status)
        except InvalidBodyError:
            self._refuse(HTTPStatus.BAD_REQUEST)

    def _refuse(self, status: HTTPStatus) -> None:
        self._depot.refused += 1
        self.due.append(PendingSend(Response(status).encode(closing=True)))
        self.closing = self.refused = True

    def _take_head(self, buffer: bytearray, at: int, end: int) -> int:
        if self.state == "idle":
            # RFC 9112, 2.2: an empty line before a request is to be ignored.
            while at < end and buffer[at] in _LEADING:
                at += 1
            if at == end:
                return at
            self.state = "head"
        at = self._reader.take(buffer, at, end)
        if self._reader.head is not None:
            self._begin(self._reader.head)
        return at

    def _begin(self, head: RequestHead) -> None:
        """Decide where the body goes, and whether it is to come at all."""
        depot = self._depot
        length = head.length()
        if length is not None and length > self._limits.body_bytes:
            raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        depot.requests += 1
        self._fate = NO_FAULT
        sink = handler_for(head, depot)
        if is_upload(head):
            self._fate = self._weather.fate()
            if self._fate.status is not None:
                sink = StaticResponse(self._fault_response(self._fate.status))
        write = sink.write
        self._head, self._sink, self._accounted = head, sink, 0
        self._body = ChunkedBody(write, self._limits) if length is None else LengthBody(length, write)
        self.state = "body"
        self._began = perf_counter()
        if self._body.complete:
            self._finish()
        elif "expect" in head.fields and self._reader.version == "1.1":
            self._send_continue()

    def _send_continue(self) -> None:
        """Have a client that waits send its body, or give it the final status instead."""
        if not isinstance(self._sink, StaticResponse):
            self.due.append(PendingSend(CONTINUE, is_answer=False))
            return
        # Whether the body comes all the same is not known.
        self.due.append(PendingSend(self._sink.finish(0, {}).encode(closing=True)))
        self.closing = self.refused = True

    def _fault_response(self, status: HTTPStatus) -> Response:
        if status is HTTPStatus.TOO_MANY_REQUESTS:
            return Response(status, fields=(("Retry-After", str(self._weather.conditions.retry_after_s)),))
        return Response(status)

    def _take_body(self, buffer: bytearray, at: int, end: int) -> int:
        body = self._body
        assert body is not None
        try:
            at = body.feed(buffer, at, end)
        finally:
            self._depot.received += body.count - self._accounted
            self._accounted = body.count
        if body.count > self._limits.body_bytes:
            raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if self._fate.disconnect_after is not None and body.count >= self._fate.disconnect_after:
            self.closing = True
        elif body.complete:
            self._finish()
        return at

    def _finish(self) -> None:
        """Answer, and make ready for the next request."""
        head, body = self._head, self._body
        assert head is not None
        assert body is not None
        self.closing = not self._reader.keep_alive
        answer = self._sink.finish(body.count, body.trailers)
        elapsed_ms = (perf_counter() - self._began) * 1e3
        timed = Response(
            answer.status,
            answer.body,
            (*answer.fields, ("Server-Timing", f"drain;dur={elapsed_ms:.3f}")),
            answer.media_type,
        )
        self.due.append(PendingSend(timed.encode(closing=self.closing, without_body=head.method == "HEAD")))
        self.state = "idle"
        self._reader = RequestHeadParser(self._limits)
