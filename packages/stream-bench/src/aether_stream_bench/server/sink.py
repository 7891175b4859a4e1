"""Where a body goes, by what the request is: each kind of upload is a sink that takes pieces and makes an answer."""

from __future__ import annotations

import logging
import re
from email.message import Message
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec import Struct

from aether_stream_bench.server.depot import MOST_PARTS, Part, Upload
from aether_stream_bench.server.digest import InvalidDigestError, announced_sha256, hash_for
from aether_stream_bench.server.message import UPLOAD_METHODS, Answer, json_answer
from aether_stream_bench.wire import STATISTICS_PATH, Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aether_stream_bench.server.depot import Depot
    from aether_stream_bench.server.message import Head

TWO_PHASE = "/two-phase"
RESUMABLE = "/resumable"
#: The version of the tus protocol whose core and termination are spoken under `/resumable`.
TUS = "1.0.0"
#: A request that says something (which parts, which digest) says no more than this.
MOST_SAID_BYTES = 2**20
_PART = re.compile(rb"<Part>(.*?)</Part>", re.DOTALL)
_NUMBER = re.compile(rb"<PartNumber>\s*(\d{1,5})\s*</PartNumber>")
_TAG = re.compile(rb"<ETag>\s*(?:\"|&quot;|&#34;)?([^<\"&]+)(?:\"|&quot;|&#34;)?\s*</ETag>")


# It would tell the standard error stream what is wrong with a form; the client is told.
logging.getLogger("python_multipart").addHandler(logging.NullHandler())


class Sink(Protocol):
    """What becomes of one body. `write` is None where its bytes need only be counted."""

    @property
    def write(self) -> Callable[[memoryview], object] | None:
        """Take a piece of the body."""

    def finish(self, count: int, trailers: Mapping[str, str]) -> Answer:
        """Answer, the body being complete: `count` bytes, and the fields behind it."""


class Fixed:
    """Answers what was clear before the body came, and drops it."""

    write = None

    def __init__(self, answer: Answer) -> None:
        """Answer `answer`."""
        self._answer = answer

    def finish(self, count: int, trailers: Mapping[str, str]) -> Answer:  # noqa: ARG002 - the interface's
        """Answer."""
        return self._answer


class Statistics:
    """Answers with the server's counters as they are by then."""

    write = None

    def __init__(self, depot: Depot) -> None:
        """Tell of `depot`."""
        self._depot = depot

    def finish(self, count: int, trailers: Mapping[str, str]) -> Answer:  # noqa: ARG002 - the interface's
        """Answer."""
        return json_answer(self._depot.statistics())


class Whole:
    """An upload in one request: counted, hashed where that is asked for, compared where a digest is announced."""

    def __init__(self, head: Head, depot: Depot) -> None:
        """Take the body of `head`."""
        self._head, self._depot = head, depot
        self._hash = hash_for(head)
        self.write = None if self._hash is None else self._hash.update

    def finish(self, count: int, trailers: Mapping[str, str]) -> Answer:
        """Answer with the receipt, or that the body is not what was announced."""
        digest = None if self._hash is None else self._hash.hexdigest()
        return _compared(self._depot, Receipt(bytes=count, sha256=digest), {**self._head.fields, **trailers})


class Form:
    """An upload as `multipart/form-data`: the files in it are counted and hashed, the rest is dropped."""

    def __init__(self, head: Head, depot: Depot, boundary: bytes) -> None:
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

    def finish(self, count: int, trailers: Mapping[str, str]) -> Answer:  # noqa: ARG002 - the interface's
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


class Said:
    """A request whose body says something: it is kept, up to a bound, and handed over."""

    def __init__(self, answer: Callable[[bytes], Answer]) -> None:
        """Answer by what `answer` makes of the body."""
        self._said: list[bytes] = []
        self._count = 0
        self._answer = answer

    def write(self, body: memoryview) -> None:
        """Keep a piece."""
        self._count += len(body)
        if self._count <= MOST_SAID_BYTES:
            self._said.append(bytes(body))

    def finish(self, count: int, trailers: Mapping[str, str]) -> Answer:  # noqa: ARG002 - the interface's
        """Answer."""
        if count > MOST_SAID_BYTES:
            return Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return self._answer(b"".join(self._said))


class Piece:
    """A piece of an upload that is remembered: what has come of it counts, even if the connection breaks."""

    def __init__(self, upload: Upload, answer: Callable[[int], Answer]) -> None:
        """Take the body for `upload` and answer by what `answer` makes of its length."""
        self.write = upload.take
        self._answer = answer

    def finish(self, count: int, trailers: Mapping[str, str]) -> Answer:  # noqa: ARG002 - the interface's
        """Answer."""
        return self._answer(count)


class Completion(Struct, frozen=True, kw_only=True):
    """What a client says that it has uploaded."""

    bytes: int | None = None
    sha256: str | None = None


def sink_for(head: Head, depot: Depot) -> Sink:  # noqa: PLR0911 - a line a kind
    """Return where the body of a request goes, by its method, path and query."""
    first = "/" + head.path.lstrip("/").partition("/")[0]
    if head.path == STATISTICS_PATH and head.method == "GET":
        return Statistics(depot)
    if first == RESUMABLE:
        return _resumable(head, depot)
    if first == TWO_PHASE:
        return _two_phase(head, depot)
    if "uploads" in head.query or "uploadId" in head.query:
        return _s3(head, depot)
    if head.method not in {"PUT", "POST"}:
        return Fixed(Answer(HTTPStatus.METHOD_NOT_ALLOWED, fields=(("Allow", "PUT, POST"),)))
    if head.fields.get("content-encoding", "").lower().startswith("aws-chunked"):
        # Signatures stand between the bytes of such a body, and would be counted as bytes of it.
        return Fixed(Answer(HTTPStatus.NOT_IMPLEMENTED))
    media_type = head.fields.get("content-type", "")
    if media_type.lower().startswith("multipart/form-data"):
        boundary = _boundary(media_type)
        if boundary is None:
            return Fixed(json_answer({"error": "no boundary"}, HTTPStatus.BAD_REQUEST))
        return Form(head, depot, boundary)
    return Whole(head, depot)


def is_upload(head: Head) -> bool:
    """Return whether a request carries a body, so that conditions may befall it."""
    return head.method in UPLOAD_METHODS and head.length() != 0


def _boundary(media_type: str) -> bytes | None:
    message = Message()
    message["content-type"] = media_type
    boundary = message.get_param("boundary")
    # RFC 2046, 5.1.1: 1 to 70 characters.
    return boundary.encode() if isinstance(boundary, str) and 1 <= len(boundary) <= 70 and boundary.isascii() else None


def _compared(depot: Depot, receipt: Receipt, fields: Mapping[str, str]) -> Answer:
    try:
        expected = announced_sha256(fields)
    except InvalidDigestError:
        return json_answer({"error": "Content-Digest is none"}, HTTPStatus.BAD_REQUEST)
    if expected is not None and expected != receipt.sha256:
        return json_answer({"error": "digest", "got": receipt}, HTTPStatus.UNPROCESSABLE_ENTITY)
    return json_answer(depot.receipt(receipt))


def _missing() -> Fixed:
    return Fixed(json_answer({"error": "no such upload"}, HTTPStatus.NOT_FOUND))


def _not_allowed(*methods: str) -> Fixed:
    return Fixed(Answer(HTTPStatus.METHOD_NOT_ALLOWED, fields=(("Allow", ", ".join(methods)),)))


def _two_phase(head: Head, depot: Depot) -> Sink:  # noqa: PLR0911 - a line a request
    """Ask for a place, PUT there, say that it is complete."""
    _, key, *rest = [*head.path.strip("/").split("/"), ""][:3]
    if not key:
        if head.method != "POST":
            return _not_allowed("POST")
        key, _ = depot.begin(hashed=hash_for(head) is not None)
        place = f"{TWO_PHASE}/{key}"
        answer = {"place": place, "complete": f"{place}/complete"}
        return Fixed(json_answer(answer, HTTPStatus.CREATED, Location=place))
    upload = depot.find(key)
    if upload is None:
        return _missing()
    if rest == ["complete"]:
        if head.method != "POST":
            return _not_allowed("POST")
        return Said(lambda said: _completed(depot, key, upload, said))
    if head.method != "PUT":
        return _not_allowed("PUT")
    # What is put again replaces what was there before.
    upload.restart()
    return Piece(upload, lambda _: json_answer(upload.receipt()))


def _completed(depot: Depot, key: str, upload: Upload, said: bytes) -> Answer:
    try:
        completion = msgspec.json.decode(said or b"{}", type=Completion)
    except msgspec.MsgspecError:
        return json_answer({"error": "say it as JSON"}, HTTPStatus.BAD_REQUEST)
    receipt = upload.receipt()
    digest_differs = completion.sha256 is not None and completion.sha256 != receipt.sha256
    if digest_differs or completion.bytes not in {None, receipt.bytes}:
        return json_answer({"error": "another upload", "got": receipt}, HTTPStatus.UNPROCESSABLE_ENTITY)
    depot.forget(key)
    return json_answer(depot.receipt(receipt))


def _resumable(head: Head, depot: Depot) -> Sink:  # noqa: PLR0911 - a line a request
    """Begin, ask how far it came, go on from there: the core of tus 1.0.0."""
    _, key, *_rest = [*head.path.strip("/").split("/"), ""]
    if head.method == "OPTIONS":
        fields = (("Tus-Resumable", TUS), ("Tus-Version", TUS), ("Tus-Extension", "creation,termination"))
        return Fixed(Answer(HTTPStatus.NO_CONTENT, fields=fields))
    if head.fields.get("tus-resumable") != TUS:
        return Fixed(Answer(HTTPStatus.PRECONDITION_FAILED, fields=(("Tus-Version", TUS),)))
    if not key:
        return _begun(head, depot) if head.method == "POST" else _not_allowed("POST", "OPTIONS")
    upload = depot.find(key)
    if upload is None:
        return _missing()
    if head.method == "HEAD":
        return Fixed(_at(upload, HTTPStatus.OK))
    if head.method == "DELETE":
        depot.forget(key)
        return Fixed(Answer(HTTPStatus.NO_CONTENT, fields=(("Tus-Resumable", TUS),)))
    if head.method != "PATCH":
        return _not_allowed("HEAD", "PATCH", "DELETE")
    return _continued(head, depot, key, upload)


def _begun(head: Head, depot: Depot) -> Sink:
    length = head.fields.get("upload-length", "")
    if not (length.isascii() and length.isdigit()):
        return Fixed(json_answer({"error": "Upload-Length"}, HTTPStatus.BAD_REQUEST))
    if len(length) > len(str(depot.limits.body_bytes)) or int(length) > depot.limits.body_bytes:
        return Fixed(Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, fields=(("Tus-Resumable", TUS),)))
    key, _ = depot.begin(expected=int(length), hashed=hash_for(head) is not None)
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


def _s3(head: Head, depot: Depot) -> Sink:  # noqa: PLR0911 - a line a request
    """Initiate, upload parts in any order, complete with the list of them: as S3 does it, unsigned."""
    if "uploads" in head.query:
        if head.method != "POST":
            return _not_allowed("POST")
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
        return _not_allowed("PUT", "POST", "DELETE")
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
