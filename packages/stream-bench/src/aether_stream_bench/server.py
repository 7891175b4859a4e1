"""The mock server: takes uploads over HTTP/1.1 on the loopback, drains them as they come, and counts.

`python -m aether_stream_bench.server` prints one JSON line, `{"port": …, "limit_port": …, "pid": …, "note": …}`,
serves, and stops when its standard input is closed: it never outlives whoever started it. Bursts of the ruler go to the
second port. Nothing of a payload is kept.

`PUT` or `POST` to any path answers `{"bytes": …}`, with `"sha256"` added where the request carried the
header `aether-digest: sha256`.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import socket
import sys
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import httptools
import msgspec
from msgspec import Struct

from aether_harness.affinity import pin
from aether_harness.drain import tune_for_loopback
from aether_stream_bench.limit import take_bursts
from aether_stream_bench.wire import LOOPBACK, BusySelector, receive_into, shrink_for_one_cpu

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from anyio.abc import TaskGroup

DIGEST_HEADER = "aether-digest"
RECEIVE_BYTES = 2**17
#: A connection gives way to the others after so long: seldom enough to cost an upload nothing.
TURN_S = 0.02
ACCEPT_PAUSE_S = 0.05
UPLOAD_METHODS = {b"PUT", b"POST"}


class Greeting(Struct, frozen=True, kw_only=True):
    """What the server says once it listens."""

    port: int
    limit_port: int
    pid: int
    note: str | None = None


class Receipt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the server took in: how many bytes, and their SHA-256 where it was asked for."""

    bytes: int
    sha256: str | None = None


class Exchange:
    """One connection's requests: counts each body as the parser hands it over, and queues the answers.

    The methods named `on_…` are the parser's callbacks.
    """

    def __init__(self) -> None:
        """Begin with no request."""
        self.answers: list[bytes] = []
        self.closing = False
        self._parser = httptools.HttpRequestParser(self)
        self.on_message_begin()

    def feed(self, data: memoryview) -> None:
        """Take in what arrived; a request that is none is answered and ends the connection."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.answers.append(response(HTTPStatus.BAD_REQUEST, b"", closing=True))
            self.closing = True

    def on_message_begin(self) -> None:
        """Forget the last request."""
        self._count = 0
        self._digest: hashlib._Hash | None = None

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note whether a digest is asked for."""
        if name.lower() == DIGEST_HEADER.encode() and value.lower() == b"sha256":
            self._digest = hashlib.sha256()

    def on_body(self, body: bytes) -> None:
        """Count, hash if asked to, and drop."""
        self._count += len(body)
        if self._digest is not None:
            self._digest.update(body)

    def on_message_complete(self) -> None:
        """Answer."""
        self.closing = not self._parser.should_keep_alive()
        if self._parser.get_method() in UPLOAD_METHODS:
            digest = None if self._digest is None else self._digest.hexdigest()
            body = msgspec.json.encode(Receipt(bytes=self._count, sha256=digest))
            self.answers.append(response(HTTPStatus.OK, body, closing=self.closing))
        else:
            self.answers.append(response(HTTPStatus.METHOD_NOT_ALLOWED, b"", closing=self.closing))


def response(status: HTTPStatus, body: bytes, *, closing: bool) -> bytes:
    """Return a whole response of known length."""
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", f"Content-Length: {len(body)}"]
    lines += ["Content-Type: application/json"] if body else []
    lines += ["Allow: PUT, POST"] if status is HTTPStatus.METHOD_NOT_ALLOWED else []
    lines += ["Connection: close"] if closing else []
    return "\r\n".join([*lines, "", ""]).encode() + body


async def handle(connection: socket.socket, buffer: memoryview) -> None:
    """Serve one connection until either side closes it, taking what arrives into `buffer`."""
    exchange = Exchange()
    # Whatever befalls one connection is no other's business.
    with connection, suppress(OSError):
        connection.setblocking(False)
        tune_for_loopback(connection)
        turn_ends = monotonic() + TURN_S
        while not exchange.closing and (received := await receive_into(connection, buffer)):
            exchange.feed(buffer[:received])
            while exchange.answers:
                await send_all(connection, exchange.answers.pop(0))
            if monotonic() > turn_ends:
                # What always has more to be received never waits, and would keep all others waiting.
                await anyio.lowlevel.checkpoint()
                turn_ends = monotonic() + TURN_S


async def send_all(connection: socket.socket, data: bytes) -> None:
    """Send all of `data`, waiting where the other side is slow to take it."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[connection.send(rest) :]
        except BlockingIOError:
            await anyio.wait_writable(connection)


async def accept_all(
    listener: socket.socket, tasks: TaskGroup, handler: Callable[[socket.socket], Coroutine[Any, Any, None]]
) -> None:
    """Have every connection that comes served by `handler`."""
    while True:
        await anyio.wait_readable(listener)
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, ConnectionError):
            continue  # who wanted to connect has thought better of it
        except OSError:
            # Out of descriptors or of memory: who waits goes on waiting, until connections have ended.
            await anyio.sleep(ACCEPT_PAUSE_S)
            continue
        tasks.start_soon(handler, connection)


def listening(*, one_cpu: bool) -> socket.socket:
    """Return a socket that listens on a free loopback port, for a client on the same CPU if `one_cpu`."""
    listener = socket.create_server((LOOPBACK, 0), backlog=1024)
    listener.setblocking(False)
    if one_cpu:
        shrink_for_one_cpu(listener)  # what it accepts is like it
    return listener


async def serve(cpus: Sequence[int], *, one_cpu: bool = False) -> None:
    """Listen on free loopback ports, say which, and serve until the standard input is closed."""
    note = pin(cpus)
    # One buffer for all that arrives, which is used up before the next arrives: memory that is new for every piece
    # costs more than the copy into it, and where it lies is the same luck for all.
    buffer = memoryview(bytearray(RECEIVE_BYTES))
    with listening(one_cpu=one_cpu) as listener, listening(one_cpu=one_cpu) as limit_listener:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(accept_all, listener, tasks, partial(handle, buffer=buffer))
            tasks.start_soon(accept_all, limit_listener, tasks, partial(take_bursts, buffer=buffer))
            greeting = Greeting(
                port=listener.getsockname()[1],
                limit_port=limit_listener.getsockname()[1],
                pid=os.getpid(),
                note=note,
            )
            sys.stdout.buffer.write(msgspec.json.encode(greeting) + b"\n")
            sys.stdout.buffer.flush()
            await anyio.to_thread.run_sync(sys.stdin.buffer.read)
            tasks.cancel_scope.cancel()


def main() -> None:
    """Run the server."""
    parser = argparse.ArgumentParser(prog="python -m aether_stream_bench.server", description="The mock server.")
    parser.add_argument("--cpus", type=int, nargs="*", default=(), metavar="CPU", help="CPUs to be pinned to")
    parser.add_argument("--busy", action="store_true", help="keep the CPU while waiting: it is the server's own")
    parser.add_argument("--one-cpu", action="store_true", help="the client is on the same CPU")
    options = parser.parse_args()
    loop_factory = partial(asyncio.SelectorEventLoop, BusySelector()) if options.busy else None
    anyio.run(partial(serve, options.cpus, one_cpu=options.one_cpu), backend_options={"loop_factory": loop_factory})


if __name__ == "__main__":
    main()
