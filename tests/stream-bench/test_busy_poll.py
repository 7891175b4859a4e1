from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from aether_stream_bench.client.base import Endpoint
from aether_stream_bench.client.builtin import BuiltinClient, send
from aether_stream_bench.net.busy_poll import SPIN_NS, SpinSelector, SpinSocket
from aether_stream_bench.payload import Payload
from aether_stream_bench.server_process import ServerConfig, running_server
from aether_stream_bench.uploads import Uploader
from aether_stream_bench.wire import LOOPBACK, Receipt

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Longer than anyone is patient.
LONG_S = 20 * SPIN_NS / 1e9
LIMIT_S = 120.0


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield two sockets that are connected."""
    first, second = socket.socketpair()
    with first, second:
        yield first, second


def test_all_pieces_arrive_in_order_however_slowly_they_are_taken(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    pieces = [b"a" * 10, memoryview(b"b" * 3_000_000), b"", memoryview(b"c" * 70_000)]
    taken = bytearray()

    def take() -> None:
        while more := ends[1].recv(200_000):
            taken.extend(more)
            time.sleep(0.001)

    taker = threading.Thread(target=take)
    taker.start()
    send(SpinSocket(ends[0], LIMIT_S), pieces)
    ends[0].shutdown(socket.SHUT_WR)
    taker.join()
    assert bytes(taken) == b"".join(pieces)


def test_what_comes_late_is_waited_for(ends: tuple[socket.socket, socket.socket]) -> None:
    late = threading.Timer(LONG_S, ends[1].sendall, (b"late",))
    late.start()
    assert SpinSocket(ends[0], LIMIT_S).recv(10) == b"late"
    late.join()


def test_who_waits_long_sleeps(ends: tuple[socket.socket, socket.socket]) -> None:
    late = threading.Timer(0.5, ends[1].sendall, (b"late",))
    before = time.thread_time()
    late.start()
    SpinSocket(ends[0], LIMIT_S).recv(10)
    assert time.thread_time() - before < 0.25


def test_nothing_that_comes_in_time_is_told(ends: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(TimeoutError):
        SpinSocket(ends[0], LONG_S).recv(10)


def test_a_busy_selector_tells_what_is_ready_and_returns_when_its_time_is_over(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    with SpinSelector() as selector:
        selector.register(ends[0], 1)
        assert selector.select(0) == []
        before = time.monotonic()
        assert selector.select(LONG_S) == []
        assert time.monotonic() - before >= LONG_S / 2
        ends[1].sendall(b"x")
        assert [key.fileobj for key, _ in selector.select(None)] == [ends[0]]


def test_a_busy_server_counts_every_byte() -> None:
    payload = Payload(size=5_000_003, chunk=65_536, seed=1)
    with running_server((), ServerConfig(is_busy=True)) as greeting:
        endpoint = Endpoint(host=LOOPBACK, port=greeting.port, spin=True)
        with BuiltinClient(endpoint) as client:
            uploading = Uploader(client, endpoint, payload)
            expected = Receipt(bytes=5_000_003, sha256=payload.sha256())
            assert uploading.upload(digest=True).receipt == expected
            time.sleep(LONG_S)
            assert uploading.upload().receipt == Receipt(bytes=5_000_003)
