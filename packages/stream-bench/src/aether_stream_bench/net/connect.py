"""Connect a socket to an endpoint, with TLS and polling as the endpoint requires."""

from __future__ import annotations

import socket
import ssl
import struct
import sys
from typing import TYPE_CHECKING

from aether_harness.reference.loopback_sink import tune_for_loopback
from aether_stream_bench.net.busy_poll import SpinSocket, set_shared_cpu_buffers
from aether_stream_bench.net.tls_socket import MemoryTlsSocket, tls_connect

if TYPE_CHECKING:
    from aether_stream_bench.client.base import Endpoint

Connection = socket.socket | SpinSocket | MemoryTlsSocket


def connect(endpoint: Endpoint, port: int) -> Connection:
    """Return a connection to a port of the endpoint's host, with TLS and polling as `endpoint` requires.

    Raises:
        OSError: it cannot be made.

    """
    return finish_connect(connect_tcp(endpoint, port), endpoint, context_for(endpoint) if endpoint.tls else None)


def connect_tcp(endpoint: Endpoint, port: int) -> socket.socket:
    """Return a plain connection, as `connect` does."""
    reached = socket.create_connection((endpoint.host, port), endpoint.time_limit_s)
    try:
        tune_for_loopback(reached)
        if endpoint.one_cpu:
            set_shared_cpu_buffers(reached)
        set_io_timeout(reached, endpoint.time_limit_s)
    except BaseException:
        reached.close()
        raise
    return reached


def finish_connect(reached: socket.socket, endpoint: Endpoint, context: ssl.SSLContext | None) -> Connection:
    """Return a connection as it is to be waited for, behind its handshake where there is a `context`."""
    waited_for = SpinSocket(reached, endpoint.time_limit_s) if endpoint.spin else reached
    if context is None:
        return waited_for
    try:
        return tls_connect(waited_for, context, endpoint.host)
    except BaseException:
        reached.close()
        raise


def context_for(endpoint: Endpoint) -> ssl.SSLContext:
    """Return the TLS context for the endpoint: the system's authorities, and the endpoint's own if it has one."""
    context = ssl.create_default_context()
    if endpoint.certificate is not None:
        context.load_verify_locations(cadata=endpoint.certificate)
    return context


def set_io_timeout(connection: socket.socket, limit_s: float) -> None:
    """Let a connection raise if nothing moves for the time limit, and block otherwise."""
    if sys.platform == "win32":
        connection.settimeout(limit_s)
        return
    connection.settimeout(None)
    seconds, rest = divmod(limit_s, 1)
    value = struct.pack("@ll", int(seconds), int(rest * 1e6))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)
