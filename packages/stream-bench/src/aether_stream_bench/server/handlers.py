"""Handlers of bodies. Each receives the pieces and returns the response at the end."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from aether_stream_bench.server.digest import InvalidDigestError, announced_sha256, hash_for
from aether_stream_bench.server.http.message import Response, json_answer
from aether_stream_bench.wire import Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aether_stream_bench.server.http.message import RequestHead
    from aether_stream_bench.server.state import ServerState, Upload

#: The maximum size of a body with instructions (parts, digests).
MAX_BUFFERED_BYTES = 2**20


# The parser would print the errors of a form to standard error; the client gets them.
logging.getLogger("python_multipart").addHandler(logging.NullHandler())


class BodyHandler(Protocol):
    """The handler of one body. `write` is None if its bytes need only be counted."""

    @property
    def write(self) -> Callable[[memoryview], object] | None:
        """Take a piece of the body."""

    def finish(self, count: int, trailers: Mapping[str, str]) -> Response:
        """Answer, the body being complete: `count` bytes, and the fields behind it."""


class StaticResponse:
    """Returns a response that was known before the body came, and discards the body."""

    write = None

    def __init__(self, answer: Response) -> None:
        """Answer `answer`."""
        self._answer = answer

    def finish(self, count: int, trailers: Mapping[str, str]) -> Response:  # noqa: ARG002 - the interface's
        """Answer."""
        return self._answer


class Statistics:
    """Answers with the server's counters as they are by then."""

    write = None

    def __init__(self, depot: ServerState) -> None:
        """Return the statistics of `depot`."""
        self._depot = depot

    def finish(self, count: int, trailers: Mapping[str, str]) -> Response:  # noqa: ARG002 - the interface's
        """Answer."""
        return json_answer(self._depot.statistics())


class SingleUpload:
    """An upload in one request: counted, hashed where that is asked for, compared where a digest is announced."""

    def __init__(self, head: RequestHead, depot: ServerState) -> None:
        """Take the body of `head`."""
        self._head, self._depot = head, depot
        self._hash = hash_for(head)
        self.write = None if self._hash is None else self._hash.update

    def finish(self, count: int, trailers: Mapping[str, str]) -> Response:
        """Return the receipt, or an error if the body is not the announced one."""
        digest = None if self._hash is None else self._hash.hexdigest()
        return _compared(self._depot, Receipt(bytes=count, sha256=digest), {**self._head.fields, **trailers})


class MultipartUpload:
    """An upload as `multipart/form-data`: the files in it are counted and hashed, the rest is dropped."""

    def __init__(self, head: RequestHead, depot: ServerState, boundary: bytes) -> None:
        """Take the body of `head`, whose parts `boundary` divides."""
        from python_multipart.multipart import MultipartParser

        self._depot = depot
        self._hash = hash_for(head)
        self._count = 0
        self._is_file = self._is_whole = self._is_broken = False
        self._name = self._value = b""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._add_name,
                "on_header_value": self._add_value,
                "on_header_end": self._end_header,
                "on_part_data": self._take,
                "on_end": self._end,
            },
        )

    def write(self, body: memoryview) -> None:
        """Take a piece of the form."""
        from python_multipart.exceptions import FormParserError

        if not self._is_broken:
            try:
                self._parser.write(bytes(body))
            except FormParserError:
                self._is_broken = True

    def finish(self, count: int, trailers: Mapping[str, str]) -> Response:  # noqa: ARG002 - the interface's
        """Answer with the receipt of the files, or that this is no form."""
        if self._is_broken or not self._is_whole:
            return json_answer({"error": "no whole multipart/form-data"}, HTTPStatus.BAD_REQUEST)
        digest = None if self._hash is None else self._hash.hexdigest()
        return json_answer(self._depot.receipt(Receipt(bytes=self._count, sha256=digest)))

    def _begin(self) -> None:
        self._is_file = False

    def _add_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._name.lower() == b"content-disposition" and b"filename" in self._value.lower():
            self._is_file = True
        self._name = self._value = b""

    def _take(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._count += end - start
            if self._hash is not None:
                self._hash.update(memoryview(data)[start:end])

    def _end(self) -> None:
        self._is_whole = True


class BufferedBody:
    """A request whose body holds instructions: it is kept, up to a bound, and passed on."""

    def __init__(self, answer: Callable[[bytes], Response]) -> None:
        """Return the result of `answer` for the body."""
        self._said: list[bytes] = []
        self._count = 0
        self._answer = answer

    def write(self, body: memoryview) -> None:
        """Keep a piece."""
        self._count += len(body)
        if self._count <= MAX_BUFFERED_BYTES:
            self._said.append(bytes(body))

    def finish(self, count: int, trailers: Mapping[str, str]) -> Response:  # noqa: ARG002 - the interface's
        """Answer."""
        if count > MAX_BUFFERED_BYTES:
            return Response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return self._answer(b"".join(self._said))


class PartialUpload:
    """A piece of a resumable upload: received bytes count, even if the connection breaks."""

    def __init__(self, upload: Upload, answer: Callable[[int], Response]) -> None:
        """Receive the body for `upload` and return the result of `answer` for its length."""
        self.write = upload.take
        self._answer = answer

    def finish(self, count: int, trailers: Mapping[str, str]) -> Response:  # noqa: ARG002 - the interface's
        """Answer."""
        return self._answer(count)


def _compared(depot: ServerState, receipt: Receipt, fields: Mapping[str, str]) -> Response:
    try:
        expected = announced_sha256(fields)
    except InvalidDigestError:
        return json_answer({"error": "Content-Digest is none"}, HTTPStatus.BAD_REQUEST)
    if expected is not None and expected != receipt.sha256:
        return json_answer({"error": "digest", "got": receipt}, HTTPStatus.UNPROCESSABLE_ENTITY)
    return json_answer(depot.receipt(receipt))


def not_found() -> StaticResponse:
    """Return the handler for an unknown or forgotten upload."""
    return StaticResponse(json_answer({"error": "no such upload"}, HTTPStatus.NOT_FOUND))


def not_allowed(*methods: str) -> StaticResponse:
    """Return the handler for a path that takes other methods."""
    return StaticResponse(Response(HTTPStatus.METHOD_NOT_ALLOWED, fields=(("Allow", ", ".join(methods)),)))
