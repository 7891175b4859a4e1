"""The other end of the loopback kernel: `python -m aether_harness.drain [CPU…]` drains, counts, acknowledges.

It takes bytes in as servers in Python do, through an event loop and with a copy of each piece, so that it
is slowed by what slows those. Prints the port it listens on, on 127.0.0.1 only, and ends when its standard
input is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys

from aether_harness.affinity import pin

BURST_BYTES = 2**20
ACKNOWLEDGEMENT = b"."


def tune_for_loopback(connection: socket.socket) -> None:
    """Take out of a connection what is made for wide networks and only blurs a loopback.

    Nagle's algorithm would hold the end of a body back. BBR, the default of some servers, paces what it
    sends by a timer: on a loopback that halves the throughput at random from one connection to the next.
    Reno is in every Linux kernel and allowed to everyone.
    """
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_CONGESTION"):
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")


class Drain(asyncio.Protocol):
    """One connection: takes in, copies, drops, and acknowledges each whole burst."""

    def __init__(self) -> None:
        """Begin with nothing taken in."""
        self._pending = 0
        self._copies: tuple[bytes, bytes] = (b"", b"")
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to acknowledge."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take in a piece."""
        assert self._transport is not None
        middle = len(data) // 2
        self._copies = (data[:middle], data[middle:])
        self._pending += len(data)
        while self._pending >= BURST_BYTES:
            self._pending -= BURST_BYTES
            self._transport.write(ACKNOWLEDGEMENT)


async def serve() -> None:
    """Listen, say where, and drain until the standard input is closed."""
    server = await asyncio.get_running_loop().create_server(Drain, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - the greeting is its interface
    await asyncio.to_thread(sys.stdin.buffer.read)


if __name__ == "__main__":
    pin([int(cpu) for cpu in sys.argv[1:]])
    asyncio.run(serve())
