"""The limit: the throughput of a raw socket between the same two processes on the same CPUs."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING

from aether_schema import quantile
from aether_stream_bench.reference import RawConnection

if TYPE_CHECKING:
    from aether_stream_bench.client.base import Endpoint
    from aether_stream_bench.payload import Payload

#: One of them is the fastest, on any machine; which, is not known beforehand.
PIECE_BYTES = (2**17, 2**18, 2**19, 2**20)
SENDS = 3
MAX_BYTES = 2**23
MIN_BYTES = 2**20


def raw_throughput_mbs(endpoint: Endpoint, raw_port: int, payload: Payload) -> float:
    """Return the best figure of a raw socket, in MB/s: the median of some sends, at the fastest size of a piece.

    It sends about as much at once as an upload does, over TLS where uploads go over it.

    Raises:
        BenchError: the connection broke.

    """
    size = min(max(payload.size, MIN_BYTES), MAX_BYTES)
    data = memoryview(b"".join(payload.pieces(MAX_BYTES, 0, size)))
    data = data if len(data) == size else memoryview((bytes(data) * (size // len(data) + 1))[:size])
    with RawConnection(endpoint, raw_port) as raw:
        return max(size / quantile([_send(raw, data, piece) for _ in range(SENDS)], 0.5) * 1e3 for piece in PIECE_BYTES)


def _send(raw: RawConnection, data: memoryview, piece: int) -> int:
    started = perf_counter_ns()
    raw.burst(len(data), (data[start : start + piece] for start in range(0, len(data), piece)))
    return perf_counter_ns() - started
