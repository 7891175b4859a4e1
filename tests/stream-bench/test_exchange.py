from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_stream_bench.server.faults import FaultConfig, FaultInjector
from aether_stream_bench.server.http.exchange import HttpExchange
from aether_stream_bench.server.limits import Limits
from aether_stream_bench.server.state import ServerState

if TYPE_CHECKING:
    from collections.abc import Iterable

#: More than any piece has: what lies behind it is what another connection left there.
BUFFER_BYTES = 2**10
CHUNKED = (
    b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;ext=1\r\nabc\r\n10\r\n\r\n\r\n0123456789ab\r\n0\r\nTrailer: x\r\n\r\n"
)
KNOWN_LENGTH = b"\r\nPOST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n\r\n\r\n.."
LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
REQUESTS = CHUNKED + KNOWN_LENGTH + CHUNKED + LAST
LEFT = st.one_of(st.sampled_from([b"\r\n", b"\n\r\n", b"\r\n\r\n", b"\n", b"0"]), st.binary(min_size=1, max_size=4))


def answers(pieces: Iterable[bytes], left: bytes) -> list[bytes]:
    """Return what is answered to `pieces`, but for its times; the buffer holds `left` over and over before each."""
    exchange = HttpExchange(ServerState(Limits()), FaultInjector(FaultConfig()))
    for piece in pieces:
        buffer = bytearray(left * BUFFER_BYTES)[:BUFFER_BYTES]
        buffer[: len(piece)] = piece
        exchange.feed(buffer, len(piece))
    return [re.sub(rb"dur=[0-9.]+", b"", due.data) for due in exchange.due]


def split(data: bytes, places: Iterable[int]) -> list[bytes]:
    """Return `data` in pieces that end at `places`."""
    ends = sorted({*places, len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False) if end > start]


WHOLE = answers([REQUESTS], b"\0")


def test_requests_in_one_piece_are_each_answered() -> None:
    assert [answer.rpartition(b"\r\n")[2] for answer in WHOLE[:3]] == [b'{"bytes":19}', b'{"bytes":6}', b'{"bytes":19}']
    assert len(WHOLE) == 4


@pytest.mark.parametrize("left", [b"\r\n", b"\n\r", b"\n\r\n", b"\r\n\r\n", b"\0"])
@pytest.mark.parametrize("size", range(1, 8))
def test_a_request_is_read_alike_in_pieces_of_any_size_whatever_another_left_in_the_buffer(
    size: int, left: bytes
) -> None:
    assert answers(split(REQUESTS, range(0, len(REQUESTS), size)), left) == WHOLE


@given(st.sets(st.integers(1, len(REQUESTS) - 1), min_size=len(REQUESTS) // 4), LEFT)
def test_a_request_is_read_alike_however_it_is_split_whatever_another_left_in_the_buffer(
    places: set[int], left: bytes
) -> None:
    assert answers(split(REQUESTS, places), left) == WHOLE
