"""The bench's rulers: bursts of the payload over a raw socket to the server's process, without HTTP.

A burst is sent from the uploaded memory, between the same CPUs, into the buffer that receives uploads; one byte comes
back. It shares the process effects (where memory lies) and the state of the machine, and none of the code. A sixth of
its time is a loop in the interpreter, because an upload is not all memory: if memory becomes slower by a third, an
upload becomes slower by less.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from aether_harness import BenchError
from aether_harness.reference.kernels import interpreter_work
from aether_stream_bench.client.builtin import send
from aether_stream_bench.net.connect import connect
from aether_stream_bench.wire import RAW_LENGTH_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from aether_stream_bench.client.base import Endpoint
    from aether_stream_bench.net.connect import Connection
    from aether_stream_bench.payload import Payload

#: The ids of the references. Any change of a burst needs a new id.
REFERENCE_ID = "streaming/limit-3"
CROSS_REFERENCE_ID = "streaming/short-pieces-2"
#: A burst is this share of an upload, within these bounds, or this number of pieces, if that is less. A shorter burst
#: would mostly be the latency of a message, which does not depend on memory; a longer one takes too long.
BURST_SHARE = 1 / 8
LEAST_BURST_BYTES, MOST_BURST_BYTES = 2**20, 2**23
MAX_PIECES = 256
#: The second ruler's bursts are this share of those, through the same memory in shorter pieces: more calls a byte.
CROSS_SHARE = 1 / 4
CROSS_PIECE_BYTES = 2**15
#: The number of bytes per step of the loop.
BYTES_PER_STEP = 6 * 2**10


class RawConnection:
    """A raw connection to the server, for successive bursts."""

    def __init__(self, endpoint: Endpoint, raw_port: int) -> None:
        """Connect to `raw_port` as `endpoint` requires.

        Raises:
            BenchError: nothing listens there.

        """
        try:
            self._connection: Connection = connect(endpoint, raw_port)
        except OSError as error:
            raise BenchError(f"no connection to {endpoint.host}:{raw_port}: {error.strerror or error}") from None

    def __enter__(self) -> Self:
        """Be closed by the end of a `with`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._connection.close()

    def burst(self, length: int, pieces: Iterable[memoryview]) -> int:
        """Send `pieces`, `length` bytes in all, wait until they are taken in, and return how many they are.

        Raises:
            BenchError: the connection broke.

        """
        try:
            send(self._connection, chain([length.to_bytes(RAW_LENGTH_BYTES, "big")], pieces))
            answer = self._connection.recv(1)
        except OSError as error:
            raise BenchError(f"the raw connection to the mock server broke: {error.strerror or error}") from None
        if not answer:
            raise BenchError("the raw connection was closed by the mock server")
        return length


class BurstReferences:
    """Both references over one connection."""

    def __init__(self, raw: RawConnection, payload: Payload) -> None:
        """Send `payload` by `raw` from where it lies, burst by burst."""
        self._raw = raw
        length = burst_bytes(payload.size)
        self._bursts = bursts_of(payload, length, length)
        self._cross_bursts = bursts_of(payload, int(length * CROSS_SHARE), CROSS_PIECE_BYTES)

    def wake(self) -> None:
        """Have the server awake: send a burst of nothing."""
        self._raw.burst(0, [])

    def burst(self) -> int:
        """Send the next burst, go on for as long as goes with it, and return its bytes."""
        return self._send(self._bursts)

    def cross_burst(self) -> int:
        """Send the burst of the second reference."""
        return self._send(self._cross_bursts)

    def _send(self, bursts: Iterator[tuple[int, Sequence[memoryview]]]) -> int:
        sent = self._raw.burst(*next(bursts))
        interpreter_work(sent // BYTES_PER_STEP)
        return sent


def burst_bytes(size: int) -> int:
    """Return the length of a burst next to uploads of `size` bytes."""
    return max(LEAST_BURST_BYTES, min(MOST_BURST_BYTES, int(size * BURST_SHARE)))


def bursts_of(payload: Payload, least_bytes: int, piece_bytes: int) -> Iterator[tuple[int, Sequence[memoryview]]]:
    """Yield the payload in bursts of `least_bytes` or a little more, each with its length, over and over.

    A burst is of the payload's chunks, those longer than `piece_bytes` in pieces, and of MOST_PIECES at most.
    """
    burst: list[memoryview] = []
    length = 0
    while True:
        for chunk in payload.distinct:
            for start in range(0, len(chunk), piece_bytes):
                burst.append(chunk[start : start + piece_bytes])
                length += len(burst[-1])
                if length >= least_bytes or len(burst) == MAX_PIECES:
                    yield length, burst
                    burst, length = [], 0
