from __future__ import annotations

import socket
import ssl
import threading
from typing import TYPE_CHECKING

import pytest

from aether_stream_bench.net.tls_socket import RECORD_BYTES, RECORDS_BYTES, MemoryTlsSocket, tls_connect

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = bytes(range(256)) * 1000


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield two sockets that are connected."""
    here, there = socket.socketpair()
    for each in (here, there):
        each.settimeout(30)
    yield here, there
    here.close()
    there.close()


@pytest.fixture
def ends(sockets: tuple[socket.socket, socket.socket]) -> Iterator[tuple[MemoryTlsSocket, ssl.SSLSocket]]:
    """Yield a client's end, and the server's as the standard library has it."""
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(client)
    here, there = sockets
    wrapped = server.wrap_socket(there, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=wrapped.do_handshake)
    thread.start()
    secure = tls_connect(here, client, "localhost")
    thread.join()
    yield secure, wrapped
    secure.close()
    wrapped.close()


def received(connection: ssl.SSLSocket, size: int) -> bytes:
    """Return so many bytes."""
    taken = b""
    while len(taken) < size:
        taken += connection.recv(size - len(taken))
    return taken


def test_what_is_sent_in_pieces_large_and_small_arrives_in_order(ends: tuple[MemoryTlsSocket, ssl.SSLSocket]) -> None:
    here, there = ends
    pieces = [b"a", b"b" * (RECORD_BYTES - 1), b"c" * (RECORD_BYTES + 1), b"", b"d"]
    here.send_pieces(pieces)
    here.sendall(b"f")
    assert received(there, len(b"".join(pieces)) + 1) == b"".join(pieces) + b"f"


def test_many_records_that_have_come_are_taken_at_once(ends: tuple[MemoryTlsSocket, ssl.SSLSocket]) -> None:
    here, there = ends
    for number in range(10):
        there.sendall(bytes([number]) * 1000)
    buffer = memoryview(bytearray(RECORDS_BYTES))
    assert here.recv_into(buffer) == 10_000
    assert bytes(buffer[9_990:10_000]) == bytes([9]) * 10


def test_what_does_not_fit_is_kept_for_the_next_call(ends: tuple[MemoryTlsSocket, ssl.SSLSocket]) -> None:
    here, there = ends
    there.sendall(DATA[:50_000])
    taken = b""
    while len(taken) < 50_000:
        taken += here.recv(7_001)
    assert taken == DATA[:50_000]


def test_without_anything_to_receive_a_socket_that_does_not_block_says_so(
    ends: tuple[MemoryTlsSocket, ssl.SSLSocket], sockets: tuple[socket.socket, socket.socket]
) -> None:
    here, there = ends
    there.sendall(b"x")
    assert here.recv(10) == b"x"
    sockets[0].setblocking(False)
    with pytest.raises(BlockingIOError):
        here.recv(10)
    there.sendall(b"y")
    assert here.recv(10) == b"y"


@pytest.mark.parametrize("is_told", [True, False], ids=["in TLS", "without a word"])
def test_the_end_is_an_end_however_it_comes(ends: tuple[MemoryTlsSocket, ssl.SSLSocket], *, is_told: bool) -> None:
    here, there = ends
    there.sendall(b"the last")
    if is_told:
        there.setblocking(False)
        with pytest.raises(ssl.SSLWantReadError):
            there.unwrap()
    there.close()
    assert here.recv(100) == b"the last"
    assert here.recv(100) == b""
    assert here.recv(100) == b""


def test_records_that_were_damaged_are_an_error(ends: tuple[MemoryTlsSocket, ssl.SSLSocket]) -> None:
    here, there = ends
    raw = socket.socket(fileno=there.detach())
    raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
    raw.close()
    with pytest.raises(ssl.SSLError):
        here.recv(100)


def test_a_server_that_hangs_up_amid_the_handshake_is_an_error() -> None:
    here, there = socket.socketpair()
    there.close()
    with pytest.raises(OSError, match=r"."), here:
        tls_connect(here, ssl.create_default_context(), "localhost")
