"""Requests that are meant to harm: each is answered with the right status or closed, and the server goes on."""

from __future__ import annotations

import socket
import ssl
import struct
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aether_stream_bench.server import FaultConfig, mock_server
from aether_stream_bench.server.limits import Limits
from aether_stream_bench.server_process import ServerConfig, running_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aether_stream_bench.wire import Greeting

HEAD = b"PUT / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MIB = 2**20
WORDS = [HEAD, CHUNKED, b"\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n", b"Content-Length: 5\r\n"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"PUT / HTTP/1.1\r\n\r\n", b"400"),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
        (b"PUT / HTTP/1.1\r\nHost: a@b\r\n\r\n", b"400"),
        (b"PUT / HTTP/0.9\r\nHost: x\r\n\r\n", b"505"),
        (b"PUT / HTTP/2.0\r\nHost: x\r\n\r\n", b"505"),
        (b"PUT / HTTP/9.9\r\n\r\n", b"505"),
        (b"PUT / HTTP/1.10\r\nHost: x\r\n\r\n", b"400"),
        (b"PUT /\r\nHost: x\r\n\r\n", b"505"),
        (b"PUT / HTTP/1.2\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"PUT / HTTP/1.2\r\n\r\n", b"400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400"),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", b"501"),
        (HEAD + b"Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n", b"501"),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", b"400"),
        (HEAD + b"Content-Length: 5, 5\r\n\r\nhello", b"400"),
        (HEAD + b"Content-Length: +5\r\n\r\nhello", b"400"),
        (HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n", b"400"),
        (HEAD + b"Content-Length: 9999999999999999\r\n\r\n", b"413"),
        (HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", b"400"),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", b"501"),
        (HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", b"400"),
        (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", b"501"),
        (HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", b"400"),
        (HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (HEAD + b"Folded: a\r\n b\r\n\r\n", b"400"),
        (HEAD + b"Nothing: \0\r\n\r\n", b"400"),
        (b"PUT / HTTP/1.1\nHost: x\n\n", b"400"),
        (CHUNKED + b"fffffffffffffffff\r\n", b"400"),
        (CHUNKED + b"-5\r\nhello\r\n", b"400"),
        (CHUNKED + b"0x5\r\nhello\r\n", b"400"),
        (CHUNKED + b"5 \r\nhello\r\n", b"400"),
        (CHUNKED + b"5\nhello\n", b"400"),
        (CHUNKED + b"5\r\nhello, and more\r\n", b"400"),
        (CHUNKED + b"0\r\nNo colon\r\n\r\n", b"400"),
        (b"PUT /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"414"),
        (HEAD + b"A: " + b"b" * 40_000 + b"\r\n\r\n", b"431"),
        (HEAD + b"A: b\r\n" * 101 + b"\r\n", b"431"),
        (CHUNKED + b"0\r\n" + b"A: b\r\n" * 101 + b"\r\n", b"400"),
    ],
)
def test_a_request_that_leaves_doubt_is_refused_and_the_connection_closed(
    answer_to: Callable[[bytes], bytes], sent: bytes, status: bytes
) -> None:
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = answer_to(sent + smuggled)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"\r\nConnection: close\r\n" in answer


def test_a_newer_minor_version_is_understood_as_the_newest_known(answer_to: Callable[[bytes], bytes]) -> None:
    newer, body = b"PUT / HTTP/1.2\r\nHost: x\r\nTransfer-Encoding: chunked\r\n", b"\r\n5\r\nhello\r\n0\r\n\r\n"
    answer = answer_to(newer + body + newer + b"Connection: close\r\n" + body)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b'{"bytes":5}') == 2


def test_http_1_0_is_answered_and_closed(answer_to: Callable[[bytes], bytes]) -> None:
    assert answer_to(b"PUT / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc").endswith(b'{"bytes":3}')


def test_what_comes_behind_an_announced_body_is_another_request(answer_to: Callable[[bytes], bytes]) -> None:
    answer = answer_to(HEAD + b"Content-Length: 3\r\n\r\nabcdefgh\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 400 " in answer


@pytest.fixture
def small_server() -> Iterator[Greeting]:
    """Yield a server that takes little."""
    limits = Limits(body_bytes=1000, head_bytes=2000, head_s=5)
    with running_server((), ServerConfig(limits=limits)) as greeting:
        yield greeting


def exchanged(port: int, sent: bytes) -> bytes:
    """Return all that a server answers, or what it did until it hung up."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        received = b""
        try:
            connection.sendall(sent)
            while more := connection.recv(65536):
                received += more
        except ConnectionError:
            pass
        return received


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (HEAD + b"Content-Length: 1001\r\n\r\n", b"413"),
        (CHUNKED + b"3e9\r\n" + bytes(1001), b"413"),
        (CHUNKED + b"1\r\nx\r\n" * 1001 + b"0\r\n\r\n", b"413"),
        (HEAD + b"A: " + b"b" * 300_000, b"431"),
        (CHUNKED + b"1;" + b"e" * 300_000, b"400"),
        (CHUNKED + b"0\r\nA: " + b"b" * 300_000, b"4"),
    ],
    ids=["length", "chunk", "chunks", "head", "extension", "trailer"],
)
def test_what_is_larger_than_may_be_is_refused(small_server: Greeting, sent: bytes, status: bytes) -> None:
    answer = exchanged(small_server.port, sent)
    assert answer.startswith(b"HTTP/1.1 " + status)


def test_endless_heads_extensions_and_trailers_cost_no_memory(small_server: Greeting) -> None:
    process = psutil.Process(small_server.pid)
    before = process.memory_info().rss
    for start in (HEAD + b"A: ", CHUNKED + b"1;", CHUNKED + b"0\r\nA: ", b"PUT /"):
        for _ in range(4):
            exchanged(small_server.port, start + b"b" * 8 * MIB)
    assert process.memory_info().rss - before < 16 * MIB


def test_a_client_that_never_reads_its_answers_is_held_back(small_server: Greeting) -> None:
    process = psutil.Process(small_server.pid)
    before = process.memory_info().rss
    with socket.create_connection(("127.0.0.1", small_server.port), timeout=1) as connection:
        with suppress(TimeoutError):
            while True:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        assert process.memory_info().rss - before < 16 * MIB
        assert exchanged(small_server.port, b"PUT / HTTP/1.0\r\nContent-Length: 1\r\n\r\nx").endswith(b'{"bytes":1}')


@settings(max_examples=200)
@given(st.lists(st.one_of(st.binary(max_size=50), st.sampled_from(WORDS))))
def test_whatever_comes_the_server_answers_in_whole_messages_and_goes_on(server: Greeting, pieces: list[bytes]) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as connection:
        connection.sendall(b"".join(pieces))
        connection.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while more := connection.recv(65536):
                received += more
        except ConnectionError:
            pass
    assert not received or received.startswith(b"HTTP/1.1 ")


@pytest.fixture(scope="module")
def secure_server() -> Iterator[Greeting]:
    """Yield a server that speaks TLS."""
    pytest.importorskip("trustme")
    with running_server((), ServerConfig(tls=True, limits=Limits(head_s=5))) as greeting:
        yield greeting


def secured(greeting: Greeting) -> ssl.SSLSocket:
    """Return a connection whose certificate is checked."""
    context = ssl.create_default_context(cadata=greeting.certificate)
    return context.wrap_socket(socket.create_connection(("127.0.0.1", greeting.port), 120), server_hostname="127.0.0.1")


def test_over_tls_the_certificate_made_at_start_is_good_and_every_byte_counted(secure_server: Greeting) -> None:
    with secured(secure_server) as connection:
        connection.sendall(HEAD + b"Content-Length: 300000\r\n\r\n" + bytes(300_000))
        assert connection.recv(1000).endswith(b'{"bytes":300000}')


@pytest.mark.parametrize(
    "sent", [b"PUT / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", Random(1).randbytes(500), b""]
)
def test_what_is_no_tls_or_is_cut_off_is_closed(secure_server: Greeting, sent: bytes) -> None:
    exchanged(secure_server.port, sent)
    with secured(secure_server) as connection:
        connection.sendall(HEAD + b"Content-Length: 1\r\n\r\nx")
        assert connection.recv(1000).endswith(b'{"bytes":1}')


def test_tls_that_ends_amid_an_upload_leaves_the_server_serving(secure_server: Greeting) -> None:
    connection = secured(secure_server)
    connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\nabc")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    with secured(secure_server) as again:
        again.sendall(HEAD + b"Content-Length: 1\r\n\r\nx")
        assert again.recv(1000).endswith(b'{"bytes":1}')


PLAIN = HEAD + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello"
CLOSING = b"Connection: close\r\nContent-Length: %d\r\n"
DIGITS = b"1" * 4301


def posted(target: bytes, body: bytes = b"", fields: bytes = b"") -> bytes:
    """Return a request that posts `body`."""
    return b"POST " + target + b" HTTP/1.1\r\nHost: x\r\n" + fields + CLOSING % len(body) + b"\r\n" + body


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (HEAD + b"Connection: close\r\nContent-Length: " + b"0" * 4301 + b"5\r\n\r\nhello", b"200"),
        (posted(b"/", b"x", b"Content-Type: multipart/form-data; boundary*" + DIGITS + b"*=x\r\n"), b"400"),
        (posted(b"/", b"x", b"Content-Type: multipart/form-data; boundary*=a; boundary*0=b\r\n"), b"400"),
        (posted(b"/", b"x", b'Content-Type: multipart/form-data; a="' + b";" * 30_000 + b"\r\n"), b"400"),
        (posted(b"/resumable", b"", b"Tus-Resumable: 1.0.0\r\nUpload-Length: " + DIGITS + b"\r\n"), b"413"),
        (posted(b"/resumable", b"", b"Tus-Resumable: 1.0.0\r\nUpload-Length: " + b"0" * 4301 + b"\r\n"), b"201"),
    ],
    ids=["length", "boundary", "continued boundary", "semicolons", "upload length", "zeros"],
)
def test_numbers_and_parameters_of_any_length_are_answered(
    answer_to: Callable[[bytes], bytes], sent: bytes, status: bytes
) -> None:
    assert answer_to(sent).startswith(b"HTTP/1.1 " + status)
    assert answer_to(PLAIN).endswith(b'{"bytes":5}')


@pytest.mark.parametrize(
    "said",
    [
        b"[" * 100_000,
        b'{"x":' * 100_000,
        b'{"bytes":' + DIGITS + b"}",
        b'{"bytes":1e999}',
        b'{"sha256":"\xff"}',
    ],
    ids=["arrays", "objects", "digits", "infinity", "no text"],
)
def test_a_completion_that_is_no_plain_json_is_refused(answer_to: Callable[[bytes], bytes], said: bytes) -> None:
    place = answer_to(posted(b"/two-phase")).partition(b"Location: ")[2].partition(b"\r\n")[0]
    assert answer_to(posted(place + b"/complete", said)).startswith(b"HTTP/1.1 400 ")
    assert answer_to(PLAIN).endswith(b'{"bytes":5}')


@pytest.mark.parametrize(
    "said",
    [
        b"<Part>" * (2**19 // 6),
        b"<Part><PartNumber>" * (2**19 // 18),
        b"<a>" + b"<Part/>" * (2**19 // 7) + b"</a>",
        b"<a><Part><PartNumber>" + DIGITS + b"</PartNumber><ETag>x</ETag></Part></a>",
        b'<!DOCTYPE a [<!ENTITY b "1">]><a><Part><PartNumber>&b;</PartNumber><ETag>1-1</ETag></Part></a>',
        b'<?xml version="1.0" encoding="idna"?><a><Part/></a>',
        b"<a" + b" b='c'" * 1000 + b"/>",
        b"",
        b"\xff\xfe<\0a\0>\0",
    ],
    ids=["parts", "numbers", "empty parts", "digits", "entity", "encoding", "attributes", "nothing", "utf-16"],
)
def test_a_list_of_parts_that_makes_no_sense_is_refused(answer_to: Callable[[bytes], bytes], said: bytes) -> None:
    key = answer_to(posted(b"/k?uploads")).partition(b"<UploadId>")[2].partition(b"<")[0]
    answer = answer_to(posted(b"/k?uploadId=" + key, said))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"<Error><Code>" in answer
    assert answer_to(PLAIN).endswith(b'{"bytes":5}')


def test_a_list_of_parts_is_read_as_any_xml(answer_to: Callable[[bytes], bytes]) -> None:
    key = answer_to(posted(b"/k?uploads")).partition(b"<UploadId>")[2].partition(b"<")[0]
    for number in (b"1", b"2"):
        place = b"PUT /k?partNumber=" + number + b"&uploadId=" + key
        assert b'ETag: "' in answer_to(place + b" HTTP/1.1\r\nHost: x\r\n" + CLOSING % 3 + b"\r\nabc")
    said = b"""<?xml version="1.0" encoding="UTF-8"?><!-- of 2 --><s:Complete xmlns:s="http://s3.amazonaws.com/doc/2006-03-01/">
        <s:Part><s:ETag>&quot;1-3&quot;</s:ETag><s:PartNumber> 1 </s:PartNumber></s:Part>
        <s:Part><s:PartNumber>2</s:PartNumber><s:ETag><![CDATA["2-3"]]></s:ETag></s:Part></s:Complete>"""
    assert b"<Size>6</Size>" in answer_to(posted(b"/k?uploadId=" + key, said))


def test_an_error_of_one_connection_ends_no_other(caplog: pytest.LogCaptureFixture) -> None:
    # A number that Python refuses to write out: every second upload fails on it.
    conditions = FaultConfig(busy_every=2, retry_after_s=10**5000)

    async def exchange() -> list[bytes]:
        async with mock_server(conditions=conditions) as server:
            with socket.create_connection(("127.0.0.1", server.port), timeout=120) as idle:
                answers = [await anyio.to_thread.run_sync(exchanged, server.port, PLAIN) for _ in range(4)]
                await anyio.to_thread.run_sync(idle.sendall, PLAIN)
                return [*answers, await anyio.to_thread.run_sync(idle.recv, 1000)]

    statuses = [answer.split()[1] for answer in anyio.run(exchange)]
    assert statuses == [b"200", b"500", b"200", b"500", b"200"]
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("aether_stream_bench")]
    assert len(lines) == 2
    assert all(line.startswith("a connection was closed by an error: ValueError: ") for line in lines)
