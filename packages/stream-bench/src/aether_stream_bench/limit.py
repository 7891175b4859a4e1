"""The machine's limit, and the bench's rulers: the payload to the same process over a raw socket, without HTTP.

A burst goes from the memory that is uploaded, in the same chunks, between the same CPUs, into the buffer that takes
uploads in, and back comes one byte. So it has the luck of the processes that are measured (where their memory lies) and
the machine's of the moment, and none of the code. A burst says first how long it is, in eight bytes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from aether_harness import BenchError
from aether_harness.drain import ACKNOWLEDGEMENT, tune_for_loopback
from aether_stream_bench.wire import connected, receive_into

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from aether_stream_bench.payload import Payload

#: The rulers' ids. Whatever changes what a burst is makes it another one.
RULER_ID = "streaming/limit-1"
CROSS_RULER_ID = "streaming/one-chunk-1"
#: A burst is so long, or so many chunks, whichever is less: a tenth of an upload of the default size.
BURST_BYTES = 3 * 2**18
BURST_CHUNKS = 256
#: The second ruler sends one piece again and again, out of the nearest cache, where the first goes through the payload.
PIECE_BYTES = 2**16
MOST_PIECES = 64
CROSS_BYTES = 6 * PIECE_BYTES
LENGTH_BYTES = 8


class Limit:
    """A raw connection to the server, for one burst after another."""

    def __init__(self, port: int, payload: Payload, *, is_busy: bool = False, one_cpu: bool = False) -> None:
        """Connect, to send `payload` from where it lies, burst by burst.

        Raises:
            BenchError: nothing listens on the port.

        """
        self._bursts = bursts_of(payload)
        piece = payload.distinct[0][:PIECE_BYTES]
        pieces = [piece] * min(MOST_PIECES, -(-CROSS_BYTES // len(piece)))
        self._cross_burst = len(piece) * len(pieces), pieces
        self._wire = connected(port, is_busy=is_busy, one_cpu=one_cpu)

    def __enter__(self) -> Self:
        """Be closed by the end of a `with`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._wire.close()

    def wake(self) -> None:
        """Have the server awake: send a burst of nothing."""
        self._send(0, [])

    def burst(self) -> int:
        """Send the next burst, wait until it is taken in, and return its bytes.

        Raises:
            BenchError: the connection broke.

        """
        return self._send(*next(self._bursts))

    def cross_burst(self) -> int:
        """Send the second ruler's burst, likewise."""
        return self._send(*self._cross_burst)

    def _send(self, length: int, pieces: Sequence[memoryview]) -> int:
        try:
            self._wire.send([length.to_bytes(LENGTH_BYTES, "big")])
            for piece in pieces:
                self._wire.send([piece])
            answer = self._wire.receive(1)
        except OSError as error:
            raise BenchError(f"the limit's connection broke: {error.strerror or error}") from None
        if answer != ACKNOWLEDGEMENT:
            raise BenchError("the limit's connection was closed by the server")
        return length


def bursts_of(payload: Payload) -> Iterator[tuple[int, list[memoryview]]]:
    """Yield the payload's chunks in bursts, each with its length, for ever; behind its end comes its start."""
    burst: list[memoryview] = []
    length = 0
    while True:
        for chunk in payload.distinct:
            for start in range(0, len(chunk), BURST_BYTES):
                burst.append(chunk[start : start + BURST_BYTES])
                length += len(burst[-1])
                if length >= BURST_BYTES or len(burst) == BURST_CHUNKS:
                    yield length, burst
                    burst, length = [], 0


async def take_bursts(connection: socket.socket, buffer: memoryview) -> None:
    """Serve the other end: drain burst after burst into `buffer`, acknowledging each, until it is closed."""
    # Whatever befalls one connection is no other's business.
    with connection, suppress(OSError):
        connection.setblocking(False)
        tune_for_loopback(connection)
        while length := await receive_into(connection, buffer[:LENGTH_BYTES]):
            if length < LENGTH_BYTES:
                return
            pending = int.from_bytes(buffer[:LENGTH_BYTES], "big")
            while pending:
                received = await receive_into(connection, buffer[: min(pending, len(buffer))])
                if not received:
                    return
                pending -= received
            connection.send(ACKNOWLEDGEMENT)
