"""How the ends of a connection wait for one another: asleep, or asking again and again for a while.

To wake a sleeping process on another CPU takes 10 to 100 µs, depending on the machine and its hypervisor: over an
upload that adds up to more than the upload itself. An end of a connection with a CPU of its own therefore polls while
data is expected. Two ends on one CPU have to sleep, because they take turns.
"""

from __future__ import annotations

import selectors
import socket
from time import perf_counter_ns
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

#: The time to poll before sleeping: longer than the gap between two requests of a sample and its references, and short
#: enough not to keep the CPU from others.
SPIN_NS = 500_000
#: The buffer size of both ends on one CPU, in bytes: small enough to be in its caches when its turn comes. On two CPUs
#: the ends run in parallel, and larger buffers are faster.
ONE_CPU_BUFFER_BYTES = 2**19

Buffer = bytes | bytearray | memoryview


class SpinSelector(selectors.DefaultSelector):
    """A selector for an event loop that asks for PATIENCE_NS before it sleeps."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return the ready files, as any selector does."""
        ends = perf_counter_ns() + SPIN_NS
        if timeout is not None:
            ends = min(ends, perf_counter_ns() + max(0, int(timeout * 1e9)))
        while not (ready := super().select(0)) and perf_counter_ns() < ends:
            pass
        if ready or (timeout is not None and timeout * 1e9 <= SPIN_NS):
            return ready
        return super().select(None if timeout is None else timeout - SPIN_NS / 1e9)


class SpinSocket:
    """A connected socket that polls before it sleeps, with the methods that an uploader needs."""

    def __init__(self, connection: socket.socket, time_limit_s: float) -> None:
        """Wait for `connection`, at most `time_limit_s` for anything to move."""
        self._socket = connection
        self._time_limit_s = time_limit_s
        connection.setblocking(False)

    def fileno(self) -> int:
        """Return the connection's descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def recv(self, limit: int) -> bytes:
        """Wait for bytes and return at most `limit` of them; none, once the other side has closed.

        Raises:
            TimeoutError: none came in time.

        """
        return self._spin(lambda: self._socket.recv(limit), selectors.EVENT_READ)

    def send(self, data: Buffer) -> int:
        """Send some of `data` and return how many bytes that was.

        Raises:
            TimeoutError: none was taken in time.

        """
        return self._spin(lambda: self._socket.send(data), selectors.EVENT_WRITE)

    def sendmsg(self, pieces: Sequence[Buffer]) -> int:
        """Send as many of `pieces` as the connection takes, and return the number of bytes."""
        return self._spin(lambda: self._socket.sendmsg(pieces), selectors.EVENT_WRITE)

    def sendall(self, data: Buffer) -> None:
        """Send all of `data`."""
        rest = memoryview(data)
        while rest:
            rest = rest[self.send(rest) :]

    def _spin(self, do: Callable[[], T], event: int) -> T:
        ends = 0
        while True:
            try:
                return do()
            except BlockingIOError:
                now = perf_counter_ns()
                ends = ends or now + SPIN_NS
                if now > ends:
                    self._sleep(event)

    def _sleep(self, event: int) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, event)
            if not selector.select(self._time_limit_s):
                raise TimeoutError


def set_shared_cpu_buffers(connection: socket.socket) -> None:
    """Have both ends of a connection, or of all that a listener accepts, hold no more than one CPU's caches."""
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        connection.setsockopt(socket.SOL_SOCKET, option, ONE_CPU_BUFFER_BYTES)
