"""The server's end of a connection: receives into one buffer, answers, and lets nobody keep it for ever."""

from __future__ import annotations

import math
import socket
from contextlib import suppress
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from aether_harness.drain import tune_for_loopback
from aether_stream_bench.secure import SecureSocket
from aether_stream_bench.server.exchange import Exchange
from aether_stream_bench.server.message import Answer
from aether_stream_bench.wire import RAW_LENGTH_BYTES

if TYPE_CHECKING:
    import ssl

    from aether_stream_bench.server.condition import Weather
    from aether_stream_bench.server.depot import Depot

RECEIVE_BYTES = 2**17
#: A connection gives way to the others after so long: seldom enough to cost an upload nothing.
TURN_S = 0.02
#: Behind a refusal, what was under way is taken for so long and so much: a reset would lose the answer.
LINGER_S = 0.5
LINGER_BYTES = 2**22
WATCH_EVERY_S = 0.25
RAW_ACKNOWLEDGEMENT = b"."

Connection = socket.socket | SecureSocket


class Line:
    """One connection being served: until when it may go on as it does, and how to end it."""

    def __init__(self, connection: Connection, deadline: float) -> None:
        """Serve `connection` until `deadline` by the monotonic clock, unless something comes."""
        self.connection = connection
        self.deadline = deadline
        self.scope = anyio.CancelScope()
        self.is_overdue = False


class Watch:
    """Ends the connections that are past their deadline: one task for all, so that it costs an upload nothing."""

    def __init__(self) -> None:
        """Watch none yet."""
        self.lines: set[Line] = set()

    async def run(self) -> None:
        """Look every so often."""
        while True:
            await anyio.sleep(WATCH_EVERY_S)
            now = monotonic()
            for line in [line for line in self.lines if line.deadline < now]:
                line.is_overdue = True
                line.scope.cancel()


async def serve_http(  # noqa: PLR0913 - all that a server has
    connection: socket.socket,
    *,
    memory: bytearray,
    depot: Depot,
    weather: Weather,
    watch: Watch,
    context: ssl.SSLContext | None,
) -> None:
    """Serve one connection until either side closes it or its time is up, taking what arrives into `memory`."""
    exchange = Exchange(depot, weather)
    line = Line(connection, monotonic() + depot.limits.head_s)
    watch.lines.add(line)
    try:
        # Whatever befalls one connection is no other's business.
        with suppress(OSError), line.scope:
            connection.setblocking(False)
            tune_for_loopback(connection)
            if context is not None:
                line.connection = await secured(connection, context)
            await _exchange(line, exchange, memory, depot, weather)
        if line.is_overdue and exchange.state != "idle":
            with suppress(OSError):
                connection.send(as_sent(line.connection, Answer(HTTPStatus.REQUEST_TIMEOUT).encode(closing=True)))
    finally:
        watch.lines.discard(line)
        connection.close()


async def _exchange(line: Line, exchange: Exchange, memory: bytearray, depot: Depot, weather: Weather) -> None:
    connection, buffer = line.connection, memoryview(memory)
    limits, piece = depot.limits, weather.piece_bytes(len(memory))
    whole = buffer[:piece]
    now = monotonic()
    turn_ends, began = now + TURN_S, now
    while not exchange.closing and (received := await receive_into(connection, whole)):
        before, state = exchange.count, exchange.state
        if state == "idle":
            began = monotonic()
        exchange.feed(memory, received)
        if weather.is_slow:
            line.deadline = math.inf
            before = before if state == "body" else 0
            await anyio.sleep(max(0.0, weather.piece_delay_s(before, exchange.count, monotonic() - began)))
        while exchange.due:
            due = exchange.due.pop(0)
            if due.is_answer and (delay := weather.answer_delay_s()):
                line.deadline = math.inf
                await anyio.sleep(delay)
            line.deadline = monotonic() + limits.idle_s
            await send_all(connection, due.data)
        now = monotonic()
        if exchange.state == "head":
            # A head's time runs from its first byte, however many come one by one.
            line.deadline = began + limits.head_s
        else:
            line.deadline = min(now + limits.idle_s, began + limits.request_s)
            line.deadline = line.deadline if exchange.state == "body" else now + limits.idle_s
        if now > turn_ends:
            # What always has more to be received never waits, and would keep all others waiting.
            await anyio.lowlevel.checkpoint()
            turn_ends = monotonic() + TURN_S
    if exchange.refused:
        await linger(connection, buffer)


async def secured(connection: socket.socket, context: ssl.SSLContext) -> SecureSocket:
    """Return the connection behind its handshake."""
    secure = SecureSocket(connection, context, server_hostname=None)
    try:
        while not secure.handshake():
            await send_all(connection, secure.due())
            await anyio.wait_readable(connection)
            if not secure.receive_records():
                raise ConnectionResetError
    except OSError:
        with suppress(OSError):
            connection.send(secure.due())
        raise
    await send_all(connection, secure.due())
    return secure


async def linger(connection: Connection, buffer: memoryview) -> None:
    """Say that no more is sent, and take what is still under way, so that the answer is read before the end."""
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
    rest = memoryview(as_sent(connection, data))
    while rest:
        try:
            rest = rest[connection.send(rest) :]
        except BlockingIOError:
            await anyio.wait_writable(connection)


def as_sent(connection: Connection, data: bytes) -> bytes:
    """Return what is sent of `data`: itself, or the records of TLS that hold it."""
    return connection.sealed(data) if isinstance(connection, SecureSocket) else data


async def drain_raw(connection: socket.socket, *, memory: bytearray, context: ssl.SSLContext | None) -> None:
    """Take lengths and as many bytes as they announce, and acknowledge each: what an upload is without HTTP."""
    # A length may come in parts, and is its connection's own.
    length, buffer = memoryview(bytearray(RAW_LENGTH_BYTES)), memoryview(memory)
    with suppress(OSError):
        connection.setblocking(False)
        tune_for_loopback(connection)
        line = connection if context is None else await secured(connection, context)
        while head := await _receive_exactly(line, length):
            missing = int.from_bytes(head, "big")
            while missing > 0 and (received := await receive_into(line, buffer[: min(missing, len(buffer))])):
                missing -= received
            if missing:
                break
            await send_all(line, RAW_ACKNOWLEDGEMENT)
    connection.close()


async def _receive_exactly(connection: Connection, buffer: memoryview) -> bytes:
    """Return as many bytes as `buffer` has, none if the other side closes before."""
    filled = 0
    while filled < len(buffer):
        received = await receive_into(connection, buffer[filled:])
        if not received:
            return b""
        filled += received
    return bytes(buffer)
