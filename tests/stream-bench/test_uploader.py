from __future__ import annotations

import hashlib
import signal
import socket
import time
from typing import TYPE_CHECKING

import h11
import msgspec
import pytest

from aether_harness import BenchError
from aether_stream_bench.client.base import Endpoint
from aether_stream_bench.client.builtin import BuiltinClient
from aether_stream_bench.payload import Payload
from aether_stream_bench.uploads import Uploader
from aether_stream_bench.wire import Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aether_stream_bench.wire import Greeting

    ScriptedServer = Callable[..., int]
    Answering = Callable[[bytes], Callable[[socket.socket], None]]

CHUNKS = Payload(size=6, chunk=4, seed=1)


class _Client(BuiltinClient):
    """The built-in uploader, connected at once, sending in chunks."""

    def __init__(self, port: int) -> None:
        self.endpoint = Endpoint(host="127.0.0.1", port=port)
        super().__init__(self.endpoint)
        self.connect()

    def upload(self, payload: Payload, *, digest: bool = False) -> Receipt:
        receipt = Uploader(self, self.endpoint, payload).upload(digest=digest).receipt
        assert receipt is not None
        return receipt


@pytest.fixture
def nonblocking() -> Iterator[None]:
    """Give new sockets a time limit, with which a send takes no more than fits into the buffer."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(30)
    yield
    socket.setdefaulttimeout(before)


@pytest.fixture
def signals() -> Iterator[None]:
    """Interrupt what this process waits for, a thousand times a second."""
    before = signal.signal(signal.SIGALRM, lambda _number, _frame: None)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def take_in_slowly(connection: socket.socket) -> None:
    """Take an upload in by little sips, and answer with a receipt and its digest."""
    protocol = h11.Connection(h11.SERVER)
    digest = hashlib.sha256()
    count = 0
    while not isinstance(event := protocol.next_event(), h11.EndOfMessage):
        if event is h11.NEED_DATA:
            time.sleep(0.0005)
            protocol.receive_data(connection.recv(16_384))
        elif isinstance(event, h11.Data):
            digest.update(event.data)
            count += len(event.data)
    body = msgspec.json.encode(Receipt(bytes=count, sha256=digest.hexdigest()))
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


def test_every_byte_arrives_and_is_counted(server: Greeting) -> None:
    payload = Payload(size=1_000_003, chunk=4096, seed=1)
    with _Client(server.port) as uploader:
        assert uploader.upload(payload) == Receipt(bytes=1_000_003)


def test_the_digest_is_the_payload_s_own(server: Greeting) -> None:
    payload = Payload(size=1_000_003, chunk=65_536, seed=1)
    with _Client(server.port) as uploader:
        assert uploader.upload(payload, digest=True) == Receipt(bytes=1_000_003, sha256=payload.sha256())


@pytest.mark.parametrize("chunk", [1, 1000, 2**20, 2**24])
def test_chunks_of_any_size_arrive_in_order(server: Greeting, chunk: int) -> None:
    payload = Payload(size=min(chunk * 1000 + 1, 2**24 + 1), chunk=chunk, seed=1)
    with _Client(server.port) as uploader:
        receipt = uploader.upload(payload, digest=True)
    assert (receipt.bytes, receipt.sha256) == (payload.size, payload.sha256())


def test_one_connection_carries_one_upload_after_another(server: Greeting) -> None:
    with _Client(server.port) as uploader:
        counts = [uploader.upload(Payload(size=size, chunk=7, seed=1)).bytes for size in range(30)]
    assert counts == list(range(30))


def test_an_upload_says_what_it_is_in_chunks_of_http_1_1(scripted_server: ScriptedServer, answering: Answering) -> None:
    taken: list[bytes] = []
    answer = answering(b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"bytes":6}')

    def script(connection: socket.socket) -> None:
        taken.append(connection.recv(65_536, socket.MSG_PEEK))
        answer(connection)

    with _Client(scripted_server(script)) as uploader:
        assert uploader.upload(CHUNKS).bytes == 6
    assert taken[0].startswith(b"PUT /upload HTTP/1.1\r\n")
    assert b"\r\nTransfer-Encoding: chunked\r\n" in taken[0]
    assert b"content-length" not in taken[0].lower()


@pytest.mark.usefixtures("nonblocking")
def test_a_buffer_that_takes_a_part_at_a_time_loses_nothing(scripted_server: ScriptedServer) -> None:
    payload = Payload(size=3_000_001, chunk=1_000_000, seed=1)
    with _Client(scripted_server(take_in_slowly, receive_buffer=32_768)) as uploader:
        receipt = uploader.upload(payload, digest=True)
    assert (receipt.bytes, receipt.sha256) == (payload.size, payload.sha256())


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer here")
@pytest.mark.usefixtures("signals")
def test_an_upload_interrupted_by_signals_loses_nothing(scripted_server: ScriptedServer) -> None:
    payload = Payload(size=3_000_001, chunk=1_000_000, seed=1)
    with _Client(scripted_server(take_in_slowly, receive_buffer=32_768)) as uploader:
        receipt = uploader.upload(payload, digest=True)
    assert (receipt.bytes, receipt.sha256) == (payload.size, payload.sha256())


def test_no_server_at_all_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(BenchError, match=rf"^no connection to 127\.0\.0\.1:{port}: [^\n]+$"):
        _Client(port)


@pytest.mark.parametrize("hard", [True, False], ids=["reset", "closed"])
def test_a_server_that_hangs_up_midway_is_one_line(
    scripted_server: ScriptedServer, close_hard: Callable[[socket.socket], None], *, hard: bool
) -> None:
    def script(connection: socket.socket) -> None:
        connection.recv(1000)
        if hard:
            close_hard(connection)

    payload = Payload(size=2**26, chunk=2**20, seed=1)
    with (
        _Client(scripted_server(script)) as uploader,
        pytest.raises(BenchError, match=r"^127\.0\.0\.1:\d+: the upload broke off: [^\n]+$"),
    ):
        uploader.upload(payload)


def test_a_server_that_hangs_up_without_an_answer_is_said_to(
    scripted_server: ScriptedServer, answering: Answering
) -> None:
    with (
        _Client(scripted_server(answering(b""))) as uploader,
        pytest.raises(BenchError, match=r"^127\.0\.0\.1:\d+: the server closed the connection without an answer$"),
    ):
        uploader.upload(CHUNKS)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 500 Internal Server Error\r\n\r\nwithout a length",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno",
        b"HTTP/1.0 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno",
    ],
    ids=["kept alive", "closing", "without a length", "after 100", "HTTP/1.0"],
)
def test_a_server_that_refuses_is_quoted_with_its_status(
    scripted_server: ScriptedServer, answering: Answering, answer: bytes
) -> None:
    with (
        _Client(scripted_server(answering(answer))) as uploader,
        pytest.raises(BenchError, match=r"^127\.0\.0\.1:\d+: the server answered 500$"),
    ):
        uploader.upload(CHUNKS)


@pytest.mark.parametrize(
    "answer",
    [
        b"hello\r\n\r\n",
        b"\x00\xff\x00\xff\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ntoo short",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n",
        b"HTTP/1.1 200 OK\r\nHeader without an end",
    ],
)
def test_an_answer_that_is_no_http_is_one_line(
    scripted_server: ScriptedServer, answering: Answering, answer: bytes
) -> None:
    with (
        _Client(scripted_server(answering(answer))) as uploader,
        pytest.raises(BenchError, match=r"^127\.0\.0\.1:\d+: [^\n]+$"),
    ):
        uploader.upload(CHUNKS)


@pytest.mark.parametrize("body", [b"", b"abc", b"{}", b'{"bytes":"six"}', b"[6]", b"\xff", b"null"])
def test_a_receipt_that_is_none_is_one_line(scripted_server: ScriptedServer, answering: Answering, body: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with (
        _Client(scripted_server(answering(answer))) as uploader,
        pytest.raises(BenchError, match=r"^127\.0\.0\.1:\d+: the server's receipt is none: [^\n]+$"),
    ):
        uploader.upload(CHUNKS)


def test_a_receipt_may_say_more_than_is_known(scripted_server: ScriptedServer, answering: Answering) -> None:
    answer = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n15\r\n{"bytes":6,"more":[]}\r\n0\r\n\r\n'
    with _Client(scripted_server(answering(answer))) as uploader:
        assert uploader.upload(CHUNKS) == Receipt(bytes=6)
