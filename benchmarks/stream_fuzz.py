"""Fuzz the mock server from a socket: seeded, damaged and made-up messages, counted. It must answer or close, and live.

Many messages go on one connection until it is closed, as a hostile client would; every so often a plain upload must
be answered as ever. Bounded by a number and by a time.
"""

from __future__ import annotations

import argparse
import random
import socket
import time
from collections import Counter

import psutil

from aether_stream_bench.process import Setting, running_server
from aether_stream_bench.server import Limits

PLAIN = b"PUT / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
WHOLE = (
    b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;e=1\r\nhello\r\n0\r\nT: u\r\n\r\n",
    b"POST /two-phase HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    b"POST /resumable HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 9\r\nContent-Length: 0\r\n\r\n",
    b"POST /k?uploads HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    b"PUT /k?partNumber=1&uploadId=x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
    (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 71\r\n\r\n"
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\nA\r\n--b--'
    ),
    b"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
    b"GET /-/statistics HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PUT / HTTP/1.0\r\nContent-Length: 1\r\n\r\nx",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)
PIECES = (b"\r\n", b"\n", b"\r", b"\0", b":", b" ", b"\t", b"0", b"-1", b"ffffffffffffffff", b"\xff", b"chunked", b",")
PIECES += (b"Host: y\r\n", b"HTTP/1.1", b"%", b"A" * 3000)
PIECES += (b"Transfer-Encoding: chunked\r\n", b"Content-Length: 3\r\n", b"\r\n\r\n", b"0\r\n\r\n")
MOST_GROWTH_BYTES = 64 * 2**20


def damaged(draw: random.Random) -> bytes:
    """Return a message with a few things wrong with it."""
    message = bytearray(draw.choice(WHOLE))
    for _ in range(draw.randrange(4)):
        at = draw.randrange(len(message) + 1)
        how = draw.randrange(4)
        if how == 0:
            message[at : at + draw.randrange(8)] = b""
        elif how == 1:
            message[at:at] = draw.choice(PIECES)
        elif how == 2:
            message[at : at + 1] = bytes([draw.randrange(256)])
        else:
            message[at:at] = message[: draw.randrange(len(message) + 1)]
    return bytes(message)


def main() -> None:
    """Send, count and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000, help="%(default)s")
    parser.add_argument("--time", type=float, default=3600, help="seconds at most; %(default)s")
    parser.add_argument("--seed", type=int, default=20260101)
    options = parser.parse_args()
    draw = random.Random(options.seed)  # noqa: S311 - damage, not a secret
    answers: Counter[str] = Counter()
    sent = connections = 0
    limits = Limits(head_s=2, idle_s=2, kept_uploads=100)
    with running_server((), Setting(limits=limits)) as greeting:
        process = psutil.Process(greeting.pid)
        before = 0
        began = time.monotonic()
        while sent < options.messages and time.monotonic() - began < options.time:
            batch = [damaged(draw) for _ in range(min(8, options.messages - sent))]
            connections += 1
            with socket.create_connection(("127.0.0.1", greeting.port), 20) as connection:
                received = exchange(connection, b"".join(batch))
            sent += len(batch)
            for line in received.split(b"HTTP/1.1 ")[1:]:
                answers[line[:3].decode("latin-1")] += 1
            if received and not received.startswith(b"HTTP/1.1 "):
                raise SystemExit(f"seed {options.seed}, message {sent}: an answer that is none: {received[:80]!r}")
            answers["closed without an answer"] += not received
            if connections % 1000 == 0:
                with socket.create_connection(("127.0.0.1", greeting.port), 20) as connection:
                    if not exchange(connection, PLAIN).endswith(b'{"bytes":5}'):
                        raise SystemExit(f"seed {options.seed}, message {sent}: a plain upload is not answered as ever")
                before = before or process.memory_info().rss
        after = process.memory_info().rss
        if not process.is_running():
            raise SystemExit("the server has ended")
    if before and after - before > MOST_GROWTH_BYTES:
        raise SystemExit(f"the server has grown by {(after - before) / 2**20:.0f} MiB")
    elapsed = time.monotonic() - began
    print(f"seed {options.seed}: {sent:,} messages on {connections:,} connections in {elapsed:,.0f} s")
    print(f"the server's memory: {(before or after) / 2**20:.1f} MiB early, {after / 2**20:.1f} MiB at the end")
    for answer, number in sorted(answers.items()):
        print(f"  {answer}: {number:,}")


def exchange(connection: socket.socket, data: bytes) -> bytes:
    """Return all that is answered to `data` until the server closes; a reset is an end too."""
    received = b""
    try:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while more := connection.recv(65536):
            received += more
    except (ConnectionError, OSError):
        pass
    return received


if __name__ == "__main__":
    main()
