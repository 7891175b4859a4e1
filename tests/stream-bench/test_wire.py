from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from aether_stream_bench.bench import running_server
from aether_stream_bench.payload import Payload
from aether_stream_bench.server import Receipt
from aether_stream_bench.uploader import Uploader
from aether_stream_bench.wire import PATIENCE_NS, BusySelector, Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Longer than anyone is patient.
LONG_S = 20 * PATIENCE_NS / 1e9


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield two sockets that are connected."""
    first, second = socket.socketpair()
    with first, second:
        yield first, second


@pytest.mark.parametrize("is_busy", [True, False])
def test_all_pieces_arrive_in_order_however_slowly_they_are_taken(
    ends: tuple[socket.socket, socket.socket], *, is_busy: bool
) -> None:
    pieces = [b"a" * 10, memoryview(b"b" * 3_000_000), b"", bytearray(b"c" * 70_000)]
    taken = bytearray()

    def take() -> None:
        while more := ends[1].recv(200_000):
            taken.extend(more)
            time.sleep(0.001)

    taker = threading.Thread(target=take)
    taker.start()
    wire = Wire(ends[0], is_busy=is_busy)
    wire.send(pieces)
    ends[0].shutdown(socket.SHUT_WR)
    taker.join()
    assert bytes(taken) == b"".join(pieces)


@pytest.mark.parametrize("is_busy", [True, False])
def test_what_comes_late_is_waited_for(ends: tuple[socket.socket, socket.socket], *, is_busy: bool) -> None:
    late = threading.Timer(LONG_S, ends[1].sendall, (b"late",))
    late.start()
    assert Wire(ends[0], is_busy=is_busy).receive(10) == b"late"
    late.join()


def test_who_waits_long_sleeps(ends: tuple[socket.socket, socket.socket]) -> None:
    late = threading.Timer(0.5, ends[1].sendall, (b"late",))
    before = time.thread_time()
    late.start()
    Wire(ends[0], is_busy=True).receive(10)
    assert time.thread_time() - before < 0.25


def test_a_busy_selector_tells_what_is_ready_and_returns_when_its_time_is_over(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    with BusySelector() as selector:
        selector.register(ends[0], 1)
        assert selector.select(0) == []
        before = time.monotonic()
        assert selector.select(LONG_S) == []
        assert time.monotonic() - before >= LONG_S / 2
        ends[1].sendall(b"x")
        assert [key.fileobj for key, _ in selector.select(None)] == [ends[0]]


def test_a_busy_server_counts_every_byte() -> None:
    payload = Payload(size=5_000_003, chunk=65_536, seed=1)
    with running_server((), is_busy=True) as greeting, Uploader(greeting.port, is_busy=True) as uploader:
        assert uploader.upload(payload, digest=True) == Receipt(bytes=5_000_003, sha256=payload.sha256())
        time.sleep(LONG_S)
        assert uploader.upload(payload) == Receipt(bytes=5_000_003)
