"""The receiving end of the loopback kernel: `python -m aether_harness.reference.loopback_sink [CPU…]`.

Reads and discards everything, and acknowledges it.
Prints the port it listens on, on 127.0.0.1 only, and ends when its standard input is closed.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading

from aether_harness.machine.affinity import pin

BURST_BYTES = 2**20
RECEIVE_BYTES = 256 * 1024
ACKNOWLEDGEMENT = b"."


def tune_for_loopback(connection: socket.socket) -> None:
    """Turn off socket features for wide networks, which only blur a loopback.

    Nagle's algorithm would delay the end of a body. BBR, the default of some servers, paces by a timer: on a loopback
    that halves the throughput at random from one connection to the next. Every Linux kernel has Reno, and every user
    may choose it.
    """
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_CONGESTION"):
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")


def discard_and_acknowledge(connection: socket.socket) -> None:
    """Read until the other side closes, acknowledging each whole burst."""
    buffer = bytearray(RECEIVE_BYTES)
    pending = 0
    while received := connection.recv_into(buffer):
        pending += received
        while pending >= BURST_BYTES:
            pending -= BURST_BYTES
            connection.sendall(ACKNOWLEDGEMENT)


def main() -> None:
    """Listen, print the port, and drain one connection."""
    pin([int(cpu) for cpu in sys.argv[1:]])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)  # noqa: T201 - the greeting is its interface
        threading.Thread(target=_accept_one, args=(listener,), daemon=True).start()
        sys.stdin.buffer.read()


def _accept_one(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection, contextlib.suppress(OSError):
        discard_and_acknowledge(connection)


if __name__ == "__main__":
    main()
