from __future__ import annotations

import socket
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_harness import BenchError
from aether_stream_bench.client.base import Endpoint
from aether_stream_bench.payload import Payload
from aether_stream_bench.reference import (
    LEAST_BURST_BYTES,
    MAX_PIECES,
    MOST_BURST_BYTES,
    BurstReferences,
    RawConnection,
    burst_bytes,
    bursts_of,
)
from aether_stream_bench.wire import LOOPBACK, RAW_LENGTH_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aether_stream_bench.wire import Greeting

LIMIT_S = 120.0


@contextmanager
def rulers(port: int, payload: Payload, *, is_busy: bool = False, one_cpu: bool = False) -> Iterator[BurstReferences]:
    endpoint = Endpoint(host=LOOPBACK, port=0, spin=is_busy, one_cpu=one_cpu, time_limit_s=LIMIT_S)
    with RawConnection(endpoint, port) as raw:
        yield BurstReferences(raw, payload)


@given(size=st.integers(1, 300_000), chunk=st.integers(1, 2_000_000), piece=st.integers(100, 2_000_000))
def test_bursts_send_the_payload_from_where_it_lies_over_and_over(size: int, chunk: int, piece: int) -> None:
    payload = Payload(size=size, chunk=max(chunk, size // 500), seed=1)
    whole = b"".join(payload.distinct)
    sent = b"".join(each for _, burst in islice(bursts_of(payload, LEAST_BURST_BYTES, piece), 3) for each in burst)
    assert sent == (whole * (len(sent) // len(whole) + 1))[: len(sent)]


@given(size=st.integers(1, 3_000_000), chunk=st.integers(1, 2_000_000), piece=st.integers(1000, 2_000_000))
def test_a_burst_is_short_whatever_the_chunks_are(size: int, chunk: int, piece: int) -> None:
    payload = Payload(size=size, chunk=max(chunk, size // 500), seed=1)
    for length, burst in islice(bursts_of(payload, LEAST_BURST_BYTES, piece), 4):
        assert length == sum(map(len, burst))
        assert max(map(len, burst)) <= piece
        assert 0 < length < LEAST_BURST_BYTES + piece
        assert len(burst) <= MAX_PIECES
        assert length >= LEAST_BURST_BYTES or len(burst) == MAX_PIECES


@pytest.mark.parametrize("how", [{}, {"is_busy": True}, {"one_cpu": True}])
def test_a_burst_returns_once_all_of_it_is_taken_in(server: Greeting, how: dict[str, bool]) -> None:
    payload = Payload(size=2**24, chunk=2**17, seed=1)
    with rulers(server.raw_port, payload, **how) as limit:
        assert [limit.burst() for _ in range(9)] == [2**21] * 9
        assert limit.cross_burst() == limit.cross_burst() == 2**19
        limit.wake()
        assert limit.burst() == 2**21


@pytest.mark.parametrize(
    ("size", "length"),
    [(1, LEAST_BURST_BYTES), (2**23, 2**20), (2**25, 2**22), (2**26, 2**23), (2**40, MOST_BURST_BYTES)],
)
def test_a_burst_is_an_eighth_of_an_upload_within_bounds(size: int, length: int) -> None:
    assert burst_bytes(size) == length


def test_a_payload_of_one_byte_makes_bursts_too(server: Greeting) -> None:
    with rulers(server.raw_port, Payload(size=1, chunk=1, seed=1)) as limit:
        assert limit.burst() == MAX_PIECES
        assert limit.cross_burst() > 0


def test_a_server_that_goes_away_is_one_line(scripted_server: Callable[..., int]) -> None:
    port = scripted_server(lambda connection: connection.recv(1))
    with (
        rulers(port, Payload(size=2**20, chunk=2**17, seed=1)) as limit,
        pytest.raises(BenchError, match=r"^the raw connection"),
    ):
        limit.burst()


def test_a_server_that_is_not_there_is_one_line() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        port = unheard.getsockname()[1]
        with pytest.raises(BenchError, match=rf"^no connection to 127\.0\.0\.1:{port}: "):
            RawConnection(Endpoint(host=LOOPBACK, port=0), port)


@pytest.mark.parametrize(
    "sent", [b"\0", b"\xff" * RAW_LENGTH_BYTES + b"x", (5).to_bytes(RAW_LENGTH_BYTES, "big") + b"abc"]
)
def test_a_burst_that_breaks_off_is_no_burst_and_leaves_the_server_at_work(server: Greeting, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.raw_port), timeout=LIMIT_S) as broken:
        broken.sendall(sent)
        broken.shutdown(socket.SHUT_WR)
        assert broken.recv(1) == b""
    with rulers(server.raw_port, Payload(size=10, chunk=10, seed=1)) as limit:
        assert limit.burst() > 0
