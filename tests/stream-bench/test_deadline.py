"""Connections that keep their place: each has a deadline, and an idle one gives way to one that waits."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import msgspec
import pytest

from aether_stream_bench.server.limits import Limits
from aether_stream_bench.server_process import ServerConfig, running_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEAD = b"PUT / HTTP/1.1\r\nHost: x\r\n"
UPLOAD = HEAD + b"Content-Length: 1\r\n\r\nx"
#: Longer than any test may take.
EVER_S = 3000.0


@contextmanager
def connecting(*, raw: bool = False, **limits: float) -> Iterator[Callable[[], socket.socket]]:
    """Yield a function that connects to a server with these limits, and no others that are reached."""
    all_limits = msgspec.convert({"head_s": EVER_S, "idle_s": EVER_S, "request_s": EVER_S, **limits}, Limits)
    with running_server((), ServerConfig(limits=all_limits)) as greeting, ExitStack() as stack:
        port = greeting.raw_port if raw else greeting.port
        yield lambda: stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=120))


def uploaded(connection: socket.socket) -> bytes:
    """Return the answer to an upload."""
    connection.sendall(UPLOAD)
    return connection.recv(1000)


def is_closed(connection: socket.socket) -> bool:
    """Wait for the end of a connection, and return whether that is what comes."""
    with suppress(ConnectionError):
        return connection.recv(1) == b""
    return True


@pytest.mark.parametrize("sent", [b"", b"\r\n", UPLOAD], ids=["new", "empty line", "kept alive"])
def test_idle_connections_give_way_to_one_that_waits(sent: bytes) -> None:
    with connecting(connections=5) as connect:
        idle = [connect() for _ in range(5)]
        for connection in idle:
            connection.sendall(sent)
        assert b" 200 " in uploaded(connect())


def test_the_connection_that_is_idle_the_longest_gives_way() -> None:
    with connecting(connections=2) as connect:
        first, second = connect(), connect()
        for connection in (second, first, second):
            assert b" 200 " in uploaded(connection)
        assert b" 200 " in uploaded(connect())
        assert is_closed(first)
        assert b" 200 " in uploaded(second)


def test_an_upload_under_way_gives_way_to_nobody() -> None:
    with connecting(connections=2) as connect:
        busy = [connect() for _ in range(2)]
        for connection in busy:
            connection.sendall(HEAD + b"Content-Length: 2\r\n\r\nx")
        waiting = connect()
        waiting.sendall(UPLOAD)
        waiting.settimeout(3)
        with pytest.raises(TimeoutError):
            waiting.recv(1000)
        waiting.settimeout(120)
        for connection in busy:
            connection.sendall(b"y")
            assert connection.recv(1000).endswith(b'{"bytes":2}')
        assert waiting.recv(1000).endswith(b'{"bytes":1}')


@pytest.mark.parametrize("before", [b"", UPLOAD], ids=["new", "kept alive"])
def test_empty_lines_buy_no_time(before: bytes) -> None:
    with connecting(head_s=1, idle_s=1) as connect:
        connection = connect()
        if before:
            connection.sendall(before)
            assert b" 200 " in connection.recv(1000)
        with suppress(ConnectionError):
            for _ in range(1200):
                connection.sendall(b"\r\n")
                connection.settimeout(0.1)
                with suppress(TimeoutError):
                    assert connection.recv(1) == b""
                    return
            pytest.fail("it goes on for ever")


def test_empty_lines_without_end_are_ended() -> None:
    with connecting(head_s=1) as connect:
        connection = connect()

        def send_without_end() -> None:
            while True:
                connection.sendall(b"\r\n" * 2**20)

        with pytest.raises(ConnectionError):
            send_without_end()


def test_a_head_behind_a_long_upload_has_its_own_time() -> None:
    with connecting(head_s=6) as connect:
        connection = connect()
        connection.sendall(HEAD + b"Content-Length: 2\r\n\r\nx")
        time.sleep(6.5)
        connection.sendall(b"y" + UPLOAD[:10])
        assert connection.recv(1000).endswith(b'{"bytes":2}')
        time.sleep(0.6)
        connection.sendall(UPLOAD[10:])
        assert connection.recv(1000).endswith(b'{"bytes":1}')


@pytest.mark.parametrize(
    ("limits", "sent"),
    [
        ({"request_s": 1}, b""),
        ({"head_s": 1}, b"\0\0\0"),
        ({"idle_s": 1}, (100).to_bytes(8, "big") + b"x"),
        ({"request_s": 1}, (100).to_bytes(8, "big") + b"x"),
        ({"request_s": 1}, bytes(8)),
    ],
    ids=["nothing", "half a length", "half a burst", "a slow burst", "between bursts"],
)
def test_a_raw_connection_has_a_deadline(limits: dict[str, float], sent: bytes) -> None:
    with connecting(raw=True, **limits) as connect:
        connection = connect()
        connection.sendall(sent)
        if sent == bytes(8):
            assert connection.recv(1) == b"."
        assert is_closed(connection)
