"""The server as a whole: its listeners on the loopback, and the async context manager that runs it."""

from __future__ import annotations

import logging
import socket
import sys
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import anyio

from aether_schema import printable
from aether_stream_bench.net.busy_poll import set_shared_cpu_buffers
from aether_stream_bench.server.connection import RECEIVE_BYTES, TimeoutMonitor, drain_raw, serve_http
from aether_stream_bench.server.faults import FaultConfig, FaultInjector
from aether_stream_bench.server.limits import Limits
from aether_stream_bench.server.state import ServerState
from aether_stream_bench.wire import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from anyio.abc import TaskGroup

    from aether_stream_bench.wire import Statistics

_LOG = logging.getLogger(__name__)

ACCEPT_PAUSE_S = 0.05
BACKLOG = 1024


class MockServer:
    """A running mock server: its address and its counters."""

    def __init__(self, port: int, raw_port: int, certificate: str | None, depot: ServerState) -> None:
        """Describe the server on `port`."""
        self.port = port
        self.raw_port = raw_port
        #: The PEM of the authority that its certificate is from, None without TLS.
        self.certificate = certificate
        self._depot = depot

    @property
    def url(self) -> str:
        """The address of it, without a path."""
        return f"{'https' if self.certificate else 'http'}://{LOOPBACK}:{self.port}"

    def statistics(self) -> Statistics:
        """Return the counters so far."""
        return self._depot.statistics()


@asynccontextmanager
async def mock_server(
    *,
    port: int = 0,
    tls: bool = False,
    conditions: FaultConfig | None = None,
    limits: Limits | None = None,
    one_cpu: bool = False,
) -> AsyncIterator[MockServer]:
    """Run a mock server in this event loop, on 127.0.0.1 only; leaving the context stops it.

    Port 0 is one that is free; `one_cpu` is for clients on the same CPU.
    `async with mock_server() as server: await upload_to(server.url)`

    Raises:
        OSError: the port is taken.
        UsageError: TLS is asked for, and trustme is not installed.

    """
    context = certificate = None
    if tls:
        from aether_stream_bench.server.tls import new_context

        context, certificate = new_context()
    depot = ServerState(limits or Limits())
    # One buffer for all connections, consumed before the next receive: new memory for every piece costs more than the
    # copy into it, and its place has the same effect on all.
    memory = bytearray(RECEIVE_BYTES)
    weather, watch = FaultInjector(conditions or FaultConfig()), TimeoutMonitor()
    with (
        socket.create_server((LOOPBACK, port), backlog=BACKLOG) as listener,
        socket.create_server((LOOPBACK, 0), backlog=BACKLOG) as raw_listener,
    ):
        if one_cpu:
            for each in (listener, raw_listener):
                set_shared_cpu_buffers(each)  # accepted sockets inherit it
        async with anyio.create_task_group() as tasks:
            serve = partial(serve_http, memory=memory, depot=depot, weather=weather, watch=watch, context=context)
            drain = partial(drain_raw, memory=memory, limits=depot.limits, watch=watch, context=context)
            for each, handler in ((listener, serve), (raw_listener, drain)):
                tasks.start_soon(accept_loop, each, handler, tasks, depot, watch)
            tasks.start_soon(watch.run)
            yield MockServer(listener.getsockname()[1], raw_listener.getsockname()[1], certificate, depot)
            tasks.cancel_scope.cancel()


async def accept_loop(
    listener: socket.socket,
    serve: Callable[[socket.socket], Awaitable[None]],
    tasks: TaskGroup,
    depot: ServerState,
    watch: TimeoutMonitor,
) -> None:
    """Serve all connections up to the limit; an idle connection is closed for a waiting one."""

    async def served(connection: socket.socket) -> None:
        depot.connections += 1
        depot.open += 1
        try:
            await serve(connection)
        except Exception as error:  # noqa: BLE001 - a broken pool's, a lost scheduler's: each has errors of its own
            _LOG.error("a connection was closed by an error: %s", printable(f"{type(error).__name__}: {error}"))
        finally:
            depot.open -= 1
            connection.close()

    listener.setblocking(False)
    while True:
        await anyio.wait_readable(listener)
        if depot.open >= depot.limits.connections and not watch.make_room():
            await anyio.sleep(ACCEPT_PAUSE_S)
            continue
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, ConnectionError):
            continue  # the client has closed the connection already
        except OSError:
            # Without descriptors or memory, clients wait until connections have ended.
            await anyio.sleep(ACCEPT_PAUSE_S)
            continue
        tasks.start_soon(served, connection)


def raise_fd_limit() -> None:
    """Let this process have as many open connections as the system allows it."""
    if sys.platform == "win32":
        return
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
