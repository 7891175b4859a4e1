"""How the ends of a connection wait for one another: asleep, or asking again and again for a while.

To wake a sleeping process on another CPU takes 10 µs or 100, as it pleases the machine, and on a virtual one the
hypervisor: over an upload that adds up to more than the upload itself takes. So an end of a connection that has a CPU
of its own does not sleep while there is something to be expected. Two ends on one CPU must: they run in turn.
"""

from __future__ import annotations

import selectors
import socket
from time import perf_counter_ns
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

#: How long is asked before sleeping: longer than what lies between two requests of a sample and its rulers, and
#: short enough that whatever else wants the CPU is not kept from it.
SPIN_NS = 500_000
#: What both ends may hold of a connection on one CPU, in bytes: little enough to be still in its caches when its turn
#: comes. On two, the ends run at once and it is the more the better.
ONE_CPU_BUFFER_BYTES = 2**19

Buffer = bytes | bytearray | memoryview


class SpinSelector(selectors.DefaultSelector):
    """A selector for an event loop that asks for PATIENCE_NS before it sleeps."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready, as any selector does."""
        ends = perf_counter_ns() + SPIN_NS
        if timeout is not None:
            ends = min(ends, perf_counter_ns() + max(0, int(timeout * 1e9)))
        while not (ready := super().select(0)) and perf_counter_ns() < ends:
            pass
        if ready or (timeout is not None and timeout * 1e9 <= SPIN_NS):
            return ready
        return super().select(None if timeout is None else timeout - SPIN_NS / 1e9)


class SpinSocket:
    """A connected socket whose user asks again and again before it sleeps. It has what an uploader needs of one."""

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
        """Send some of `pieces`, as many as the connection takes, and return how many bytes that was; likewise."""
        return self._spin(lambda: self._socket.sendmsg(pieces), selectors.EVENT_WRITE)

    def sendall(self, data: Buffer) -> None:
        """Send all of `data`; likewise."""
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
