"""The server's end of a connection: receives into one buffer, responds, and enforces deadlines."""

from __future__ import annotations

import math
import socket
from contextlib import suppress
from http import HTTPStatus
from operator import itemgetter
from time import monotonic
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from aether_harness.reference.loopback_sink import tune_for_loopback
from aether_stream_bench.net.tls_socket import MemoryTlsSocket
from aether_stream_bench.server.http.exchange import HttpExchange
from aether_stream_bench.server.http.message import Response
from aether_stream_bench.wire import RAW_LENGTH_BYTES

if TYPE_CHECKING:
    import ssl

    from aether_stream_bench.server.faults import FaultInjector
    from aether_stream_bench.server.limits import Limits
    from aether_stream_bench.server.state import ServerState

RECEIVE_BYTES = 2**17
#: A connection yields to the others after this time: rarely enough to cost an upload nothing.
YIELD_AFTER_S = 0.02
#: After a refusal, data under way is read up to this time and size: a reset would lose the response.
LINGER_S = 0.5
LINGER_BYTES = 2**22
WATCH_EVERY_S = 0.25
#: An idle connection is closed for another one only after this time: its client may be about to send.
SPARED_S = 1.0
RAW_ACKNOWLEDGEMENT = b"."

Connection = socket.socket | MemoryTlsSocket


class ServedConnection:
    """One connection being served: until when it may go on as it does, and how to end it."""

    def __init__(self, connection: Connection, time_s: float) -> None:
        """Serve `connection` for `time_s` from now, unless something comes; both times are of the monotonic clock."""
        self.connection = connection
        now = monotonic()
        self.deadline = now + time_s
        #: The end of the last request, or the start of the connection; None during a request.
        self.idle_since: float | None = now
        self.scope = anyio.CancelScope()
        self.is_overdue = False


class TimeoutMonitor:
    """Ends the connections that are past their deadline: one task for all, so that it costs an upload nothing."""

    def __init__(self) -> None:
        """Watch none yet."""
        self.lines: set[ServedConnection] = set()

    async def run(self) -> None:
        """Check at this interval."""
        while True:
            await anyio.sleep(WATCH_EVERY_S)
            now = monotonic()
            for line in [line for line in self.lines if line.deadline < now]:
                line.is_overdue = True
                line.scope.cancel()

    def make_room(self) -> bool:
        """End the connection that has been idle the longest; return whether one has been for SPARED_S."""
        idle = [(line.idle_since, line) for line in self.lines if line.idle_since is not None]
        since, line = min(idle, key=itemgetter(0), default=(math.inf, None))
        if line is None or since > monotonic() - SPARED_S:
            return False
        line.idle_since = None
        line.scope.cancel()
        return True


async def serve_http(  # noqa: PLR0913 - all that a server has
    connection: socket.socket,
    *,
    memory: bytearray,
    depot: ServerState,
    weather: FaultInjector,
    watch: TimeoutMonitor,
    context: ssl.SSLContext | None,
) -> None:
    """Serve one connection until either side closes it or its time is up, receiving into `memory`.

    An unexpected exception is answered with 500 and raised.
    """
    exchange = HttpExchange(depot, weather)
    line = ServedConnection(connection, depot.limits.head_s)
    watch.lines.add(line)
    try:
        with suppress(OSError), line.scope:
            connection.setblocking(False)
            tune_for_loopback(connection)
            if context is not None:
                line.connection = await tls_accept(connection, context)
            await _exchange(line, exchange, memory, depot, weather)
        if line.is_overdue and exchange.state != "idle":
            with suppress(OSError):
                connection.send(to_wire(line.connection, Response(HTTPStatus.REQUEST_TIMEOUT).encode(closing=True)))
    except Exception:
        with suppress(OSError):
            connection.send(to_wire(line.connection, Response(HTTPStatus.INTERNAL_SERVER_ERROR).encode(closing=True)))
            await linger(line.connection, memoryview(memory))
        raise
    finally:
        watch.lines.discard(line)
        connection.close()


async def _exchange(
    line: ServedConnection, exchange: HttpExchange, memory: bytearray, depot: ServerState, weather: FaultInjector
) -> None:
    connection, buffer = line.connection, memoryview(memory)
    limits, piece = depot.limits, weather.piece_bytes(len(memory))
    whole = buffer[:piece]
    now = monotonic()
    turn_ends, began = now + YIELD_AFTER_S, now
    while not exchange.closing and (received := await receive_into(connection, whole)):
        before, state, arrived = exchange.count, exchange.state, monotonic()
        if state == "idle":
            began = arrived
        exchange.feed(memory, received)
        is_request = exchange.state != "idle" or state != "idle" or bool(exchange.due)
        line.idle_since = None if is_request else line.idle_since
        if is_request and weather.is_slow:
            line.deadline = math.inf
            before = before if state == "body" else 0
            await anyio.sleep(max(0.0, weather.piece_delay_s(before, exchange.count, monotonic() - began)))
        if await _send_due(line, exchange, weather, limits):
            began = arrived  # of a request that follows the present one
        now = monotonic()
        if exchange.state == "head":
            # A head's time runs from its first byte, however many come one by one.
            line.deadline = began + limits.head_s
        elif exchange.state == "body":
            line.deadline = min(now + limits.idle_s, began + limits.request_s)
        elif is_request:
            # Empty lines before a request buy no time.
            line.deadline, line.idle_since = now + limits.idle_s, now
        if now > turn_ends:
            # A connection that always has data never waits, and would block all others.
            await anyio.lowlevel.checkpoint()
            turn_ends = monotonic() + YIELD_AFTER_S
    if exchange.refused:
        await linger(connection, buffer)


async def _send_due(line: ServedConnection, exchange: HttpExchange, weather: FaultInjector, limits: Limits) -> bool:
    """Send due data and return whether a response was in it."""
    is_answered = False
    while exchange.due:
        due = exchange.due.pop(0)
        if due.is_answer:
            is_answered = True
            if delay := weather.answer_delay_s():
                line.deadline = math.inf
                await anyio.sleep(delay)
        line.deadline = monotonic() + limits.idle_s
        await send_all(line.connection, due.data)
    return is_answered


async def tls_accept(connection: socket.socket, context: ssl.SSLContext) -> MemoryTlsSocket:
    """Return the connection behind its handshake."""
    secure = MemoryTlsSocket(connection, context, server_hostname=None)
    try:
        while not secure.handshake():
            await send_all(connection, secure.pending_records())
            await anyio.wait_readable(connection)
            if not secure.receive_records():
                raise ConnectionResetError
    except OSError:
        with suppress(OSError):
            connection.send(secure.pending_records())
        raise
    await send_all(connection, secure.pending_records())
    return secure


async def linger(connection: Connection, buffer: memoryview) -> None:
    """Announce the end of sending, and read data under way, so that the client reads the response."""
    if isinstance(connection, socket.socket):
        connection.shutdown(socket.SHUT_WR)
    taken = 0
    with anyio.move_on_after(LINGER_S):
        while taken < LINGER_BYTES and (received := await receive_into(connection, buffer)):
            taken += received


async def receive_into(connection: Connection, buffer: memoryview) -> int:
    """Wait for bytes and return how many there are in `buffer` now; none, once the other side has closed."""
    while True:
        try:
            return connection.recv_into(buffer)
        except BlockingIOError:
            await anyio.wait_readable(connection)


async def send_all(connection: Connection, data: bytes) -> None:
    """Send all of `data`, waiting where the other side is slow to take it."""
    rest = memoryview(to_wire(connection, data))
    while rest:
        try:
            rest = rest[connection.send(rest) :]
        except BlockingIOError:
            await anyio.wait_writable(connection)


def to_wire(connection: Connection, data: bytes) -> bytes:
    """Return the bytes on the wire for `data`: itself, or its TLS records."""
    return connection.encrypt(data) if isinstance(connection, MemoryTlsSocket) else data


async def drain_raw(
    connection: socket.socket,
    *,
    memory: bytearray,
    limits: Limits,
    watch: TimeoutMonitor,
    context: ssl.SSLContext | None,
) -> None:
    """Read lengths and the announced number of bytes, and acknowledge each: an upload without HTTP."""
    line = ServedConnection(connection, limits.head_s)
    watch.lines.add(line)
    try:
        with suppress(OSError), line.scope:
            connection.setblocking(False)
            tune_for_loopback(connection)
            if context is not None:
                line.connection = await tls_accept(connection, context)
            is_whole = True
            while is_whole:
                line.idle_since = monotonic()
                # The next burst may come behind an upload.
                line.deadline = line.idle_since + limits.request_s
                is_whole = await _drain_burst(line, memoryview(memory), limits)
    finally:
        watch.lines.discard(line)
        connection.close()


async def _drain_burst(line: ServedConnection, buffer: memoryview, limits: Limits) -> bool:
    """Take one length and its bytes, and acknowledge them; return whether all came."""
    connection, head = line.connection, b""
    # A length may come in parts; the rest of them has the time of a head.
    while len(head) < RAW_LENGTH_BYTES:
        received = await receive_into(connection, buffer[: RAW_LENGTH_BYTES - len(head)])
        if not received:
            return False
        if line.idle_since is not None:
            line.idle_since, line.deadline = None, monotonic() + limits.head_s
        head += buffer[:received]
    missing = int.from_bytes(head, "big")
    now = monotonic()
    turn_ends, ends = now + YIELD_AFTER_S, now + limits.request_s
    line.deadline = min(now + limits.idle_s, ends)
    while missing > 0 and (received := await receive_into(connection, buffer[: min(missing, len(buffer))])):
        missing -= received
        now = monotonic()
        if now > turn_ends:
            line.deadline = min(now + limits.idle_s, ends)
            await anyio.lowlevel.checkpoint()
            turn_ends = monotonic() + YIELD_AFTER_S
    if not missing:
        await send_all(connection, RAW_ACKNOWLEDGEMENT)
    return not missing
