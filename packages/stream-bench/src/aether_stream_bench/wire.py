"""A connection on the loopback, and how its ends wait for one another: asleep, or asking again and again for a while.

To wake a sleeping process on another CPU takes 10 µs or 100, as it pleases the machine, and on a virtual one the
hypervisor: over an upload that adds up to more than the upload itself takes. So an end of a connection that has a CPU
of its own does not sleep while there is something to be expected. Two ends on one CPU must: they run in turn.
"""

from __future__ import annotations

import selectors
import socket
from time import perf_counter_ns
from typing import TYPE_CHECKING

import anyio

from aether_harness import BenchError
from aether_harness.drain import tune_for_loopback

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOPBACK = "127.0.0.1"

#: How long is asked before sleeping: longer than what lies between two requests of a sample and its rulers, and
#: short enough that whatever else wants the CPU is not kept from it.
PATIENCE_NS = 500_000
#: What both ends may hold of a connection on one CPU, in bytes: little enough to be still in its caches when its turn
#: comes. On two, the ends run at once and it is the more the better.
ONE_CPU_BUFFER_BYTES = 2**19

Buffer = bytes | bytearray | memoryview


class BusySelector(selectors.DefaultSelector):
    """A selector for an event loop that asks for PATIENCE_NS before it sleeps."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready, as any selector does."""
        ends = perf_counter_ns() + PATIENCE_NS
        if timeout is not None:
            ends = min(ends, perf_counter_ns() + max(0, int(timeout * 1e9)))
        while not (ready := super().select(0)) and perf_counter_ns() < ends:
            pass
        if ready or (timeout is not None and timeout * 1e9 <= PATIENCE_NS):
            return ready
        return super().select(None if timeout is None else timeout - PATIENCE_NS / 1e9)


class Wire:
    """A connected socket and how its user waits for it: asleep, or busily."""

    def __init__(self, connection: socket.socket, *, is_busy: bool) -> None:
        """Wait for `connection` busily, or have the kernel wake this process."""
        self._socket = connection
        if is_busy:
            connection.setblocking(False)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def send(self, pieces: Sequence[Buffer]) -> None:
        """Send all of `pieces`, by one call where the system takes so much at once."""
        if not hasattr(self._socket, "sendmsg"):  # Windows
            for piece in pieces:
                self._send_rest(memoryview(piece))
            return
        sent = self._sent(pieces)
        for piece in pieces:
            if sent < len(piece):
                self._send_rest(memoryview(piece)[sent:])
            sent = max(0, sent - len(piece))

    def receive(self, limit: int) -> bytes:
        """Wait for bytes and return at most `limit` of them; none, once the other side has closed."""
        ends = 0
        while True:
            try:
                return self._socket.recv(limit)
            except BlockingIOError:
                ends = self._wait(ends, selectors.EVENT_READ)

    def _sent(self, pieces: Sequence[Buffer]) -> int:
        """Send what the connection takes at once of `pieces` and return how many bytes that was."""
        try:
            return self._socket.sendmsg(pieces)
        except BlockingIOError:
            return 0

    def _send_rest(self, rest: memoryview) -> None:
        ends = 0
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
                ends = 0
            except BlockingIOError:
                ends = self._wait(ends, selectors.EVENT_WRITE)

    def _wait(self, ends: int, event: int) -> int:
        """Return until when to ask again, `ends` unless that is 0; past it, sleep until there is something."""
        now = perf_counter_ns()
        if not ends:
            return now + PATIENCE_NS
        if now > ends:
            with selectors.DefaultSelector() as selector:
                selector.register(self._socket, event)
                selector.select()
        return ends


def connected(port: int, *, is_busy: bool, one_cpu: bool) -> Wire:
    """Return a connection to `port` on the loopback, whose ends wait busily, or share one CPU, or neither.

    Raises:
        BenchError: nothing listens there.

    """
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        tune_for_loopback(connection)
        if one_cpu:
            shrink_for_one_cpu(connection)
        connection.connect((LOOPBACK, port))
    except OSError as error:
        connection.close()
        raise BenchError(f"no connection to {LOOPBACK}:{port}: {error.strerror}") from None
    return Wire(connection, is_busy=is_busy)


async def receive_into(connection: socket.socket, buffer: memoryview) -> int:
    """Wait for bytes and return how many there are in `buffer` now; none, once the other side has closed."""
    while True:
        try:
            return connection.recv_into(buffer)
        except BlockingIOError:
            await anyio.wait_readable(connection)


def shrink_for_one_cpu(connection: socket.socket) -> None:
    """Have both ends of a connection hold no more than the caches of the CPU they share."""
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        connection.setsockopt(socket.SOL_SOCKET, option, ONE_CPU_BUFFER_BYTES)
