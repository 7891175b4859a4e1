"""The kinds of upload that the server takes, spoken to over a socket as a client would."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aether_stream_bench.wire import Greeting

BODY = bytes(range(256)) * 400
SHA256 = hashlib.sha256(BODY).hexdigest()
TUS = {"Tus-Resumable": "1.0.0"}
PATCH = {**TUS, "Content-Type": "application/offset+octet-stream"}


class Client:
    """Requests on one kept-alive connection."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def __call__(self, method: str, path: str, body: Any = None, **fields: str) -> tuple[int, Any, bytes]:
        """Return the status, the fields and the body of the answer."""
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        self.connection.request(method, path, body=body, headers=headers)
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()


@pytest.fixture
def ask(server: Greeting) -> Iterator[Client]:
    """Yield a client of the mock server."""
    client = Client(server.port)
    yield client
    client.connection.close()


def content_digest(data: bytes) -> str:
    """Return the field that announces the digest of a body."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def test_a_client_that_waits_to_be_told_to_go_on_is_told(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    connection.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.sendall(b"hello")
    assert connection.recv(1000).endswith(b'{"bytes":5}')


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 200-ok\r\nContent-Length: 5\r\n\r\n", b"417"),
        (b"DELETE / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", b"405"),
    ],
)
def test_a_client_that_waits_in_vain_gets_the_final_status_at_once(
    answer_to: Callable[[bytes], bytes], head: bytes, status: bytes
) -> None:
    assert answer_to(head).startswith(b"HTTP/1.1 " + status)


def test_a_body_that_is_what_its_digest_says_is_receipted(ask: Client) -> None:
    status, _, body = ask("PUT", "/", BODY, Content_Digest=content_digest(BODY))
    assert (status, json.loads(body)) == (200, {"bytes": len(BODY), "sha256": SHA256})


def test_a_body_that_is_not_is_refused_with_what_came(ask: Client) -> None:
    status, _, body = ask("PUT", "/", BODY, Content_Digest=content_digest(b"another"))
    assert (status, json.loads(body)["got"]["sha256"]) == (422, SHA256)
    assert ask("PUT", "/", BODY, Content_Digest="sha-256=:bm9uZQ==:")[0] == 400


@pytest.mark.parametrize(("data", "status"), [(b"hello", b"200"), (b"other", b"422")])
def test_a_digest_behind_the_body_is_compared(answer_to: Callable[[bytes], bytes], data: bytes, status: bytes) -> None:
    answer = answer_to(
        b"PUT / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
        b"Trailer: Content-Digest\r\n\r\n5\r\nhello\r\n0\r\n"
        + b"Content-Digest: %b\r\n\r\n"
        % content_digest(data).encode()
    )
    assert answer.startswith(b"HTTP/1.1 " + status)


def form(*parts: tuple[str, bytes], boundary: str = "xyz") -> bytes:
    """Return a form of parts, each with its disposition."""
    lines = [
        f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode() + data + b"\r\n"
        for disposition, data in parts
    ]
    return b"".join(lines) + f"--{boundary}--\r\n".encode()


def test_of_a_form_the_files_are_counted_and_nothing_else(ask: Client) -> None:
    body = form(('name="a"', b"ignored"), ('name="f"; filename="x"', BODY), ('name="g"; filename="y"', b"--xy\r\n"))
    status, _, answer = ask("POST", "/", body, Content_Type="multipart/form-data; boundary=xyz", Aether_Digest="sha256")
    expected = {"bytes": len(BODY) + 6, "sha256": hashlib.sha256(BODY + b"--xy\r\n").hexdigest()}
    assert (status, json.loads(answer)) == (200, expected)


@settings(max_examples=30)
@given(st.binary(max_size=300), st.integers(1, 50))
def test_a_form_is_counted_however_it_is_cut(server: Greeting, data: bytes, step: int) -> None:
    body = form(('name="f"; filename="x"', data))
    client = Client(server.port)
    pieces = [body[start : start + step] for start in range(0, len(body), step)]
    fields = {"Content_Type": "multipart/form-data; boundary=xyz", "Content_Length": str(len(body))}
    status, _, answer = client("POST", "/", iter(pieces), **fields)
    client.connection.close()
    if b"\r\n--xyz" not in data:
        assert (status, json.loads(answer)) == (200, {"bytes": len(data)})


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("multipart/form-data", form(('name="f"', b"x"))),
        ("multipart/form-data; boundary=" + "x" * 71, b""),
        ("multipart/form-data; boundary=xyz", form(('name="f"', b"x"))[:-10]),
        ("multipart/form-data; boundary=abc", form(('name="f"', b"x"))),
        ("multipart/form-data; boundary=xyz", b""),
        ("multipart/form-data; boundary=xyz", b"--xyz\r\n" + b"A: b\r\n" * 1000),
    ],
)
def test_a_form_that_is_none_is_refused_and_the_connection_goes_on(ask: Client, media_type: str, body: bytes) -> None:
    assert ask("POST", "/", body, Content_Type=media_type)[0] == 400
    assert ask("PUT", "/", b"abc")[0] == 200


def test_an_upload_of_two_phases_asks_for_a_place_puts_there_and_completes(ask: Client) -> None:
    status, fields, body = ask("POST", "/two-phase", Aether_Digest="sha256")
    places = json.loads(body)
    assert (status, fields["Location"]) == (201, places["place"])
    assert ask("PUT", places["place"], b"a first try")[0] == 200
    assert json.loads(ask("PUT", places["place"], BODY)[2]) == {"bytes": len(BODY), "sha256": SHA256}
    wrong = json.dumps({"bytes": 1})
    assert ask("POST", places["complete"], wrong)[0] == 422
    status, _, body = ask("POST", places["complete"], json.dumps({"bytes": len(BODY), "sha256": SHA256}))
    assert (status, json.loads(body)) == (200, {"bytes": len(BODY), "sha256": SHA256})
    assert ask("PUT", places["place"], BODY)[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/two-phase", 405),
        ("PUT", "/two-phase/none", 404),
        ("POST", "/two-phase/none/complete", 404),
        ("HEAD", "/two-phase/", 405),
    ],
)
def test_a_place_that_is_none_is_said_to_be(ask: Client, method: str, path: str, status: int) -> None:
    assert ask(method, path)[0] == status


def test_a_completion_that_is_no_json_is_refused(ask: Client) -> None:
    places = json.loads(ask("POST", "/two-phase")[2])
    assert ask("POST", places["complete"], b"{")[0] == 400
    assert ask("POST", places["complete"], b" " * (2**20 + 1))[0] == 413


def test_a_resumable_upload_goes_on_from_where_it_was(ask: Client) -> None:
    status, fields, _ = ask("POST", "/resumable", Upload_Length=str(len(BODY)), Aether_Digest="sha256", **TUS)
    assert status == 201
    place = fields["Location"]
    status, fields, _ = ask("PATCH", place, BODY[:1000], Upload_Offset="0", **PATCH)
    assert (status, fields["Upload-Offset"]) == (204, "1000")
    assert ask("PATCH", place, BODY[999:], Upload_Offset="999", **PATCH)[0] == 409
    status, fields, _ = ask("HEAD", place, **TUS)
    assert (status, fields["Upload-Offset"], fields["Upload-Length"]) == (200, "1000", str(len(BODY)))
    status, _, body = ask("PATCH", place, BODY[1000:], Upload_Offset="1000", **PATCH)
    assert (status, json.loads(body)) == (200, {"bytes": len(BODY), "sha256": SHA256})


def test_what_came_of_a_resumable_upload_before_the_connection_broke_counts(
    ask: Client, connect: Callable[[], socket.socket], eventually: Callable[..., Any]
) -> None:
    place = ask("POST", "/resumable", Upload_Length="100", **TUS)[1]["Location"]
    connection = connect()
    fields = {**PATCH, "Upload-Offset": "0", "Content-Length": "100"}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    connection.sendall(f"PATCH {place} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode() + bytes(37))
    connection.close()
    assert eventually(lambda: ask("HEAD", place, **TUS)[1]["Upload-Offset"] == "37")
    assert ask("PATCH", place, bytes(63), Upload_Offset="37", **PATCH)[0] == 200


@pytest.mark.parametrize(
    ("method", "fields", "status"),
    [
        ("POST", {"Upload_Length": "1"}, 412),
        ("POST", {**TUS}, 400),
        ("POST", {**TUS, "Upload_Length": "-1"}, 400),
        ("POST", {**TUS, "Upload_Length": "9" * 30}, 413),
        ("PUT", {**TUS}, 405),
        ("OPTIONS", {}, 204),
    ],
)
def test_a_resumable_upload_that_is_begun_wrongly_is_refused(
    ask: Client, method: str, fields: dict[str, str], status: int
) -> None:
    assert ask(method, "/resumable", **fields)[0] == status


def test_a_resumable_upload_takes_no_more_than_was_announced_and_ends_when_told_to(ask: Client) -> None:
    place = ask("POST", "/resumable", Upload_Length="10", **TUS)[1]["Location"]
    assert ask("PATCH", place, bytes(11), Upload_Offset="0", **PATCH)[0] == 413
    assert ask("PATCH", place, bytes(5), Upload_Offset="0", **TUS)[0] == 415
    assert ask("DELETE", place, **TUS)[0] == 204
    assert ask("HEAD", place, **TUS)[0] == 404


def complete(*parts: tuple[int, str]) -> bytes:
    """Return the list of parts that completes an S3-style upload."""
    listed = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>" for number, tag in parts)
    return f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()


def test_an_s3_style_upload_is_initiated_uploaded_in_parts_and_completed(ask: Client) -> None:
    status, _, body = ask("POST", "/bucket/key?uploads")
    key = re.findall(rb"<UploadId>(.+)</UploadId>", body)[0].decode()
    assert status == 200
    part = f"/bucket/key?uploadId={key}&partNumber="
    tags = {number: ask("PUT", f"{part}{number}", bytes(number))[1]["ETag"] for number in (2, 1)}
    place = f"/bucket/key?uploadId={key}"
    assert ask("POST", place, complete((2, tags[2]), (1, tags[1])))[0] == 400
    assert ask("POST", place, complete((1, "other")))[0] == 400
    assert ask("POST", place, b"<Part></Part>")[0] == 400
    status, fields, body = ask("POST", place, complete((1, tags[1]), (2, tags[2])))
    assert (status, fields["Content-Type"]) == (200, "application/xml")
    assert b"<Size>3</Size>" in body
    assert ask("POST", place, complete((1, tags[1])))[0] == 404


@pytest.mark.parametrize("number", ["0", "10001", "x", "", "1e3", "٣"])
def test_a_part_without_a_proper_number_is_refused(ask: Client, number: str) -> None:
    key = re.findall(rb"<UploadId>(.+)</UploadId>", ask("POST", "/k?uploads")[2])[0].decode()
    quoted = "".join(f"%{byte:02x}" for byte in number.encode())
    assert ask("PUT", f"/k?partNumber={quoted}&uploadId={key}", b"x")[0] == 400
    assert ask("DELETE", f"/k?uploadId={key}")[0] == 204


def aws_chunked(data: bytes, size: int, extension: str = "", *trailer: str) -> bytes:
    """Return a body in chunks as S3's clients make them."""
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    framed = [b"%x%b\r\n%b\r\n" % (len(piece), extension.encode(), piece) for piece in pieces]
    fields = "".join(f"{line}\r\n" for line in trailer)
    return b"".join(framed) + f"0{extension}\r\n{fields}\r\n".encode()


@pytest.mark.parametrize(
    ("fields", "extension", "trailer"),
    [
        ({"Content_Encoding": "aws-chunked"}, "", ["x-amz-checksum-crc32:AAAAAA=="]),
        ({"Content_Encoding": "gzip, aws-chunked"}, ";chunk-signature=" + "a" * 64, ["x-amz-trailer-signature:b"]),
        ({"x_amz_content_sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}, ";chunk-signature=" + "a" * 64, []),
    ],
    ids=["with a checksum behind", "signed, and the checksum too", "signed"],
)
@pytest.mark.parametrize("size", [7, 65_536, 10**6])
def test_of_a_body_with_chunks_within_as_s3_has_them_what_is_in_the_chunks_counts(
    ask: Client, fields: dict[str, str], extension: str, trailer: list[str], size: int
) -> None:
    key = re.findall(rb"<UploadId>(.+)</UploadId>", ask("POST", "/b/k?uploads")[2])[0].decode()
    asked = {**fields, "Aether_Digest": "sha256", "x_amz_decoded_content_length": str(len(BODY))}
    body = aws_chunked(BODY, size, extension, *trailer)
    status, answered, _ = ask("PUT", f"/b/k?partNumber=1&uploadId={key}", body, **asked)
    assert (status, answered["ETag"]) == (200, f'"{SHA256}"')
    done = ask("POST", f"/b/k?uploadId={key}", complete((1, answered["ETag"])))
    assert f"<Size>{len(BODY)}</Size>".encode() in done[2]
    assert json.loads(ask("PUT", "/", body, **asked)[2]) == {"bytes": len(BODY), "sha256": SHA256}


@pytest.mark.parametrize(
    "body",
    [
        BODY,
        b"",
        aws_chunked(BODY, 1000)[:-2],
        aws_chunked(BODY, 1000) + b"x",
        aws_chunked(BODY, 1000).replace(b"3e8", b"3e9", 1),
        aws_chunked(BODY[1:], 1000),
    ],
    ids=["none", "empty", "cut off", "more behind it", "a wrong size", "less than announced"],
)
def test_chunks_within_that_are_not_whole_are_refused(ask: Client, body: bytes) -> None:
    fields = {"Content_Encoding": "aws-chunked", "x_amz_decoded_content_length": str(len(BODY))}
    assert ask("PUT", "/", body, **fields)[0] == 400
    assert ask("PUT", "/", b"hello")[0] == 200


def test_the_statistics_account_for_every_byte(ask: Client, server: Greeting) -> None:
    before = json.loads(ask("GET", "/-/statistics")[2])
    ask("PUT", "/", BODY)
    ask("PUT", "/", BODY, Content_Digest=content_digest(b"another"))
    after = json.loads(ask("GET", "/-/statistics")[2])
    grown = {name: after[name] - before[name] for name in ("uploads", "received", "receipted", "requests")}
    assert grown == {"uploads": 1, "received": 2 * len(BODY), "receipted": len(BODY), "requests": 3}
    assert after["last"] == {"bytes": len(BODY)}
    assert after["peak_memory_bytes"] > 0
    assert server.pid


def test_an_answer_says_how_long_the_body_took_to_come(ask: Client) -> None:
    assert re.fullmatch(r"drain;dur=\d+\.\d{3}", ask("PUT", "/", BODY)[1]["Server-Timing"])


def test_the_raw_port_acknowledges_each_announced_length(server: Greeting) -> None:
    assert server.raw_port is not None
    with socket.create_connection(("127.0.0.1", server.raw_port), timeout=120) as connection:
        for size in (0, 1, 300_000):
            connection.sendall(size.to_bytes(8, "big") + bytes(size))
            assert connection.recv(10) == b"."
