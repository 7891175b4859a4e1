"""The limit: what a raw socket reaches from the same process to the same server process, on the same CPUs."""

from __future__ import annotations

import socket
import ssl
from time import perf_counter_ns
from typing import TYPE_CHECKING

from aether_harness import BenchError
from aether_harness.drain import tune_for_loopback
from aether_schema import quantile
from aether_stream_bench.client.builtin import bound_waits

if TYPE_CHECKING:
    from aether_stream_bench.client.interface import Endpoint
    from aether_stream_bench.payload import Payload

#: One of them is the fastest, on any machine; which, is not known beforehand.
PIECE_BYTES = (2**17, 2**18, 2**19, 2**20)
SENDS = 7
MOST_BYTES = 2**25
LEAST_BYTES = 2**20
_LENGTH_BYTES = 8


def limit_mbs(endpoint: Endpoint, raw_port: int, payload: Payload) -> float:
    """Return the best figure of a raw socket, in MB/s: the median of some sends, at the fastest size of a piece.

    It sends about as much at once as an upload does, over TLS where uploads go over it.

    Raises:
        BenchError: the connection broke.

    """
    size = min(max(payload.size, LEAST_BYTES), MOST_BYTES)
    data = memoryview(b"".join(payload.pieces(MOST_BYTES, 0, size)))
    data = data if len(data) == size else memoryview((bytes(data) * (size // len(data) + 1))[:size])
    try:
        with _connected(endpoint, raw_port) as connection:
            return max(
                size / quantile([_send(connection, data, piece) for _ in range(SENDS)], 0.5) * 1e3
                for piece in PIECE_BYTES
            )
    except OSError as error:
        raise BenchError(f"the raw connection to the mock server broke: {error.strerror or error}") from None


def _connected(endpoint: Endpoint, port: int) -> socket.socket:
    connection = socket.create_connection((endpoint.host, port), endpoint.time_limit_s)
    tune_for_loopback(connection)
    bound_waits(connection, endpoint.time_limit_s)
    if not endpoint.tls:
        return connection
    return ssl.create_default_context(cadata=endpoint.certificate).wrap_socket(
        connection, server_hostname=endpoint.host
    )


def _send(connection: socket.socket, data: memoryview, piece: int) -> int:
    started = perf_counter_ns()
    connection.sendall(len(data).to_bytes(_LENGTH_BYTES, "big"))
    for start in range(0, len(data), piece):
        connection.sendall(data[start : start + piece])
    if not connection.recv(1):
        raise ConnectionResetError("closed")
    return perf_counter_ns() - started
