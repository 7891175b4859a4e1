"""Fuzzes `aether-stream-bench serve` from sockets: `hatch run stream:fuzz`.

Damaged messages come first, many per connection until it is closed, and then hostile connections, some of which stay
open, more than the server serves at once. At intervals a plain upload must be answered. At the end the server must have
logged no error and stop on request. The run is seeded, counted, and bounded by numbers and a time.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import Counter, deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = b"PUT / HTTP/1.1\r\nHost: x\r\n"
PLAIN = HEAD + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello"
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
WAIT_S = 60

SERVED_AT_ONCE = 200
#: The number of hostile connections left open at a time, more than are served.
LEFT_OPEN = 250
LIMITS = {"head-s": 2, "idle-s": 2, "request-s": 10, "kept-uploads": 100, "connections": SERVED_AT_ONCE}
DIGITS = b"1" * 4301
NUMBERS = (DIGITS, b"0" * 4301 + b"5", b"9" * 18, b"-" + DIGITS, b"0x" + DIGITS, b"1e9", b"")
PARAMETERS = (b"boundary=b", b"boundary*" + DIGITS + b"*=b", b"boundary*=a; boundary*0=b", b'boundary="b')
PARAMETERS += (b'a="' + b";" * 20_000, b"boundary=" + b"b" * 71, b"boundary*0=a; boundary*1=b", b"boundary=\xff")
FORMS = (b"--b\r\n" * 20_000, b"\r\n--b" * 20_000, b"--b\r\nA: " + b"b" * 100_000, b"--b\r\n" + b"A: b\r\n" * 20_000)
SAID = (b"[" * 100_000, b'{"bytes":' + DIGITS + b"}", b'{"x":' * 50_000, b"<Part>" * 80_000, b"<Part/>" * 70_000)
SAID += (b"<a><Part><PartNumber>1</PartNumber>" * 9000, b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', b"\xff" * 1000)


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


def posted(target: bytes, body: bytes = b"", fields: bytes = b"") -> bytes:
    """Return a request that posts `body` and closes the connection."""
    length = b"Content-Length: %d\r\n" % len(body)
    return b"POST " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + fields + length + b"\r\n" + body


class Server:
    """A running server, as its clients see it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        """Know the server `process`, which takes uploads on `port`."""
        self._process = psutil.Process(process.pid)
        self._port = port
        listening = {each.laddr.port for each in self._process.net_connections("tcp") if each.status == "LISTEN"}
        (self._raw_port,) = listening - {port}

    def connect(self, *, raw: bool = False) -> socket.socket:
        """Return a new connection."""
        return socket.create_connection(("127.0.0.1", self._raw_port if raw else self._port), WAIT_S)

    def ask(self, request: bytes) -> bytes:
        """Return all that is answered to a request on a connection of its own."""
        with self.connect() as connection:
            return exchange(connection, request)

    def check(self) -> float:
        """Make sure that a plain upload is answered, and return after how many seconds.

        Raises:
            SystemExit: it is not.

        """
        started = time.monotonic()
        if not (answer := self.ask(PLAIN)).endswith(b'{"bytes":5}'):
            raise SystemExit(f"a plain upload is answered with {answer[:80]!r}")
        return time.monotonic() - started

    def memory(self) -> tuple[int, int]:
        """Return how many bytes it has in memory, and has had at most."""
        answer = self.ask(b"GET /-/statistics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        peak = json.loads(answer.partition(b"\r\n\r\n")[2])["peak_memory_bytes"]
        return self._process.memory_info().rss, peak


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server in a process of its own and stop it at the end.

    Raises:
        SystemExit: it ended before, does not end by SIGTERM, or has logged an error.

    """
    limits = [word for name, value in LIMITS.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "aether_stream_bench.cli", "serve", *limits]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield Server(process, int(process.stdout.readline().rpartition(b":")[2]))
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=WAIT_S)
        finally:
            process.kill()
    if process.returncode != 130 or len(errors.splitlines()) != 1:
        raise SystemExit(f"the server ended with status {process.returncode} and logged {errors[:2000]!r}")


def send_damaged(server: Server, draw: random.Random, messages: int, ends: float) -> Counter[str]:
    """Send a number of damaged messages, at most until `ends`, and return the number of responses by status."""
    answers: Counter[str] = Counter()
    while answers["messages"] < messages and time.monotonic() < ends:
        batch = [damaged(draw) for _ in range(min(8, messages - answers["messages"]))]
        received = server.ask(b"".join(batch))
        answers["messages"] += len(batch)
        answers["connections"] += 1
        answers.update(line[:3].decode("latin-1") for line in received.split(b"HTTP/1.1 ")[1:])
        if received and not received.startswith(b"HTTP/1.1 "):
            raise SystemExit(f"message {answers['messages']}: an answer that is none: {received[:80]!r}")
        answers["closed without an answer"] += not received
        if answers["connections"] % 1000 == 0:
            server.check()
    return answers


class Attack:
    """Makes hostile connections, one after another, from a seeded generator."""

    def __init__(self, server: Server, draw: random.Random) -> None:
        """Attack `server`."""
        self._server = server
        self._draw = draw
        self._left_open: deque[socket.socket] = deque()
        self.counts: Counter[str] = Counter()

    def connect(self) -> None:
        """Make the next connection."""
        kind = self._draw.choice([self._ask, self._abandon, self._leave_open, self._leave_open, self._send_raw])
        try:
            kind()
        except ConnectionError as error:
            self.counts[f"ended by {type(error).__name__}"] += 1

    def close(self) -> None:
        """Close the connections that were left open."""
        while self._left_open:
            self._left_open.popleft().close()

    def _request(self) -> bytes:
        """Return a request of which every part makes sense but one."""
        draw = self._draw
        number, said = draw.choice(NUMBERS), draw.choice(SAID)
        tus = b"Tus-Resumable: 1.0.0\r\nUpload-Length: " + number + b"\r\n"
        media_type = b"Content-Type: multipart/form-data; " + draw.choice(PARAMETERS) + b"\r\n"
        key = self._server.ask(posted(b"/k?uploads")).partition(b"<UploadId>")[2].partition(b"<")[0]
        return draw.choice(
            (
                HEAD + b"Content-Length: " + number + b"\r\n\r\nhello",
                posted(b"/resumable", b"", tus),
                posted(b"/", draw.choice(FORMS), media_type),
                posted(b"/two-phase/" + key + b"/complete", said),
                posted(b"/k?uploadId=" + key, said),
                posted(b"/k?partNumber=" + number + b"&uploadId=" + key, b"x").replace(b"POST", b"PUT", 1),
                posted(b"/?" + b"a&" * 15_000, b"", b"Content-Digest: " + b"sha-256=:" * 1000 + b"\r\n"),
                HEAD
                + b"Transfer-Encoding: chunked\r\n\r\n"
                + b"1\r\nx\r\n" * draw.choice((1, 30_000))
                + b"0\r\n"
                + number,
                HEAD + b"Content-Encoding: aws-chunked\r\n" + b"Content-Length: 9\r\n\r\n1;a\r\nx\r\n0",
                b"\r\n" * draw.choice((1, 100_000)),
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + draw.randbytes(500),
                PLAIN.replace(b"close", b"keep-alive") * draw.choice((1, 3000)),
            )
        )

    def _ask(self) -> None:
        """Send a whole request and take the answer."""
        answer = self._server.ask(self._request())
        self.counts[f"answered {answer[9:12].decode('latin-1')}" if answer else "closed"] += 1

    def _abandon(self) -> None:
        """Send a part of a request and close, or reset, the connection without reading."""
        request = self._request()
        with self._server.connect() as connection:
            connection.settimeout(1)
            with suppress(TimeoutError):
                connection.sendall(request[: self._draw.randrange(len(request) + 1)])
            if self._draw.random() < 0.5:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.counts["abandoned"] += 1

    def _leave_open(self) -> None:
        """Send nothing, empty lines or a part of a request, and go on with another connection that was left open."""
        connection = self._server.connect()
        self._keep(connection, self._draw.choice((b"", b"\r\n", b"P", HEAD, HEAD + b"Content-Length: 9\r\n\r\nx")))
        with suppress(OSError):
            self._draw.choice(self._left_open).send(self._draw.choice((b"\r\n", b"x")))
        self.counts["left open"] += 1

    def _send_raw(self) -> None:
        """Send a length, or a part of it, and fewer bytes, to the port that drains them."""
        length = self._draw.choice((0, 1, 100_000, 2**63, 2**64 - 1)).to_bytes(8, "big")
        connection = self._server.connect(raw=True)
        self._keep(connection, length[: self._draw.choice((0, 3, 8, 8))] + bytes(self._draw.choice((0, 1, 99_999))))
        self.counts["raw, left open"] += 1

    def _keep(self, connection: socket.socket, data: bytes) -> None:
        self._left_open.append(connection)
        connection.setblocking(False)
        with suppress(BlockingIOError):
            connection.send(data)
        if len(self._left_open) > LEFT_OPEN:
            self._left_open.popleft().close()


def main() -> None:
    """Send, count and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000, help="damaged ones; %(default)s")
    parser.add_argument("--connections", type=int, default=12_000, help="hostile ones; %(default)s")
    parser.add_argument("--time", type=float, default=3600, help="seconds at most; %(default)s")
    parser.add_argument("--seed", type=int, default=20260101)
    options = parser.parse_args()
    draw = random.Random(options.seed)  # noqa: S311 - a choice, not a secret
    print(f"seed {options.seed}", flush=True)
    began = time.monotonic()
    ends = began + options.time
    with serving() as server:
        send_damaged(server, draw, min(options.messages, 10_000), ends)
        before, _ = server.memory()
        answers = send_damaged(server, draw, options.messages, ends)
        report("damaged messages", answers, began)
        began, slowest_s = time.monotonic(), 0.0
        attack = Attack(server, draw)
        for number in range(options.connections):
            attack.connect()
            if number % 100 == 99:
                slowest_s = max(slowest_s, server.check())
            if time.monotonic() > ends:
                break
        attack.close()
        report(f"{attack.counts.total():,} hostile connections", attack.counts, began)
        server.check()
        after, peak = server.memory()
    print(f"a plain upload between them was answered after {slowest_s:.1f} s at most, and at the end")
    early, late, most = (f"{size / 2**20:.1f} MiB" for size in (before, after, peak))
    print(f"the server's memory: {early} early, {late} at the end, {most} at most")
    if after - before > MOST_GROWTH_BYTES:
        raise SystemExit("the server has grown")


def report(title: str, counts: Counter[str], began: float) -> None:
    """Print how many connections ended how."""
    print(f"{title}, in {time.monotonic() - began:,.0f} s")
    for name, number in sorted(counts.items()):
        print(f"  {name}: {number:,}", flush=True)


def exchange(connection: socket.socket, data: bytes) -> bytes:
    """Return all that is answered to `data` until the server closes; a reset is an end too."""
    received = b""
    with suppress(ConnectionError):
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while more := connection.recv(65536):
            received += more
    return received


if __name__ == "__main__":
    main()
