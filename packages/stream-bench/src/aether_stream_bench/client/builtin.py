"""The built-in uploader: one kept-alive HTTP/1.1 connection, no copy of the payload, many chunks a system call.

h11 makes the heads and reads the answers. The body goes past it: a chunk is framed by two lines, and of those many
are handed to the socket at once.
"""

from __future__ import annotations

import socket
from time import perf_counter_ns
from typing import TYPE_CHECKING

import h11

from aether_stream_bench.client.base import Reply, UploadError
from aether_stream_bench.net.connect import Connection, connect_tcp, context_for, finish_connect
from aether_stream_bench.net.tls_socket import MemoryTlsSocket

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType
    from typing import Self

    from aether_stream_bench.chunk_timer import ChunkTimer
    from aether_stream_bench.client.base import Body, Endpoint
    from aether_stream_bench.net.busy_poll import SpinSocket

_RECEIVE_BYTES = 2**16
#: The amount to hand to the socket at once: larger amounts make system calls and the way between CPUs cheaper per byte.
BURST_BYTES = 2**20
#: The amount with TLS, whose records are made first, in memory that should stay in the cache.
SECURE_BURST_BYTES = 2**18
#: As many pieces as Linux takes in one call (IOV_MAX), three a chunk and three over.
MAX_PIECES = 1024 - 6
CRLF = b"\r\n"


def open_client(endpoint: Endpoint) -> BuiltinClient:
    """Return the built-in uploader."""
    return BuiltinClient(endpoint)


class BuiltinClient:
    """A connection to `endpoint`, made when the first request needs it."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Upload to `endpoint`."""
        self._endpoint = endpoint
        self._socket: Connection | None = None
        self._protocol = h11.Connection(h11.CLIENT)
        self._context: ssl.SSLContext | None = None
        self._opening_ns: dict[str, int] = {}

    def __enter__(self) -> Self:
        """Be closed by the end of a `with`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def opening_ns(self) -> dict[str, int]:
        """Return how long the newest connection took to be made: `connect`, and `tls` where there is any."""
        return dict(self._opening_ns)

    def connect(self) -> Connection:
        """Return the connection, which is made where there is none.

        Raises:
            UploadError: it cannot be.

        """
        if self._socket is not None:
            return self._socket
        endpoint = self._endpoint
        self._protocol = h11.Connection(h11.CLIENT)
        try:
            started = perf_counter_ns()
            reached = connect_tcp(endpoint, endpoint.port)
            connected = perf_counter_ns()
            self._opening_ns = {"connect": connected - started}
            if endpoint.tls and self._context is None:
                self._context = context_for(endpoint)
            opened = finish_connect(reached, endpoint, self._context)
            if endpoint.tls:
                self._opening_ns["tls"] = perf_counter_ns() - connected
        except OSError as error:
            problem = f"no connection to {endpoint.authority}: {error.strerror or error}"
            raise UploadError(problem, is_transient=True) from None
        self._socket = opened
        return opened

    def request(self, method: str, target: str, fields: Mapping[str, str], body: Body | None) -> Reply:
        """Send a request and return the answer to it."""
        was_open = self._socket is not None
        connection = self.connect()
        headers = [("Host", self._endpoint.authority), *fields.items()]
        if body is not None:
            headers.append(("Transfer-Encoding", "chunked") if body.chunked else ("Content-Length", str(body.size)))
        authority = self._endpoint.authority
        try:
            head, tail = self._wrapping(method, target, headers, body)
            started = perf_counter_ns()
            if body is not None and fields.get("Expect") == "100-continue":
                connection.sendall(head)
                if (refusal := self._refusal(connection)) is not None:
                    return refusal
                head = b""
            send(connection, framed(head, body, tail), None if body is None else body.pace)
            sent = perf_counter_ns()
            return self._receive(connection, started, sent, {} if was_open else self._opening_ns)
        except (TimeoutError, BlockingIOError):
            self.close()
            raise UploadError(f"{authority}: nothing moved for {self._endpoint.time_limit_s:g} s") from None
        except OSError as error:
            return self._early_answer(error)
        except h11.ProtocolError as error:
            self.close()
            raise UploadError(f"{authority}: {error}") from None
        except BaseException:
            self.close()
            raise

    def _wrapping(
        self, method: str, target: str, headers: list[tuple[str, str]], body: Body | None
    ) -> tuple[bytes, bytes]:
        """Return the bytes before and after a body."""
        protocol = self._protocol
        head = protocol.send(h11.Request(method=method, target=target, headers=headers)) or b""
        if body is not None and not body.chunked and body.size:
            # The body goes past the protocol, which only has to know how much it is.
            protocol.send_with_data_passthrough(h11.Data(data=Placeholder(body.size)))  # type: ignore[arg-type]
        return head, protocol.send(h11.EndOfMessage()) or b""

    def _early_answer(self, error: OSError) -> Reply:
        """Return the response that a server sent before it hung up during the body, if any.

        Raises:
            UploadError: it gave none.

        """
        connection = self._socket
        problem = f"{self._endpoint.authority}: the upload broke off: {error.strerror or error}"
        if isinstance(error, (BrokenPipeError, ConnectionResetError)) and connection is not None:
            try:
                now = perf_counter_ns()
                return self._receive(connection, now, now, {})
            except (OSError, h11.ProtocolError, UploadError):
                pass
            finally:
                self.close()
        self.close()
        raise UploadError(problem, is_transient=True) from None

    def _refusal(self, connection: Connection) -> Reply | None:
        """Wait for 100 Continue; return the final response if it comes instead."""
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            self._protocol.receive_data(connection.recv(_RECEIVE_BYTES))
        if isinstance(event, h11.InformationalResponse):
            return None
        if not isinstance(event, h11.Response):
            raise self._hung_up()
        self.close()  # whether the server still waits for the body is not to be known
        return Reply(status=event.status_code, fields=_fields(event), body=b"")

    def _receive(self, connection: Connection, started: int, sent: int, opening_ns: dict[str, int]) -> Reply:
        status, body, first = 0, b"", 0
        fields: dict[str, str] = {}
        protocol = self._protocol
        while not isinstance(event := protocol.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                received = connection.recv(_RECEIVE_BYTES)
                first = first or perf_counter_ns()
                if not received and not status:
                    raise self._hung_up()
                protocol.receive_data(received)
            elif isinstance(event, h11.Response):
                status, fields = event.status_code, _fields(event)
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.ConnectionClosed):
                raise self._hung_up()
        ended = perf_counter_ns()
        if protocol.our_state is h11.DONE and protocol.their_state is h11.DONE:
            protocol.start_next_cycle()
        else:
            self.close()
        phases = {**opening_ns, "send": sent - started, "first_byte": first - sent, "response": ended - first}
        return Reply(status=status, fields=fields, body=body, phases_ns=phases)

    def _hung_up(self) -> UploadError:
        self.close()
        problem = f"{self._endpoint.authority}: the server closed the connection without an answer"
        return UploadError(problem, is_transient=True)


def _fields(event: h11.Response) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}


class Placeholder:
    """A placeholder for a number of bytes that are sent in another way."""

    def __init__(self, size: int) -> None:
        """Stand for `size` bytes."""
        self._size = size

    def __len__(self) -> int:
        """Return how many."""
        return self._size


def send(connection: Connection, pieces: Iterable[bytes | memoryview], pace: ChunkTimer | None = None) -> None:
    """Send all pieces, many a system call.

    Each call is a stretch of `pace`.
    """
    secure = isinstance(connection, MemoryTlsSocket)
    began = perf_counter_ns()
    for burst, size in bursts(pieces, SECURE_BURST_BYTES if secure else BURST_BYTES):
        if isinstance(connection, MemoryTlsSocket):
            connection.send_pieces(burst)
        elif not hasattr(socket.socket, "sendmsg"):  # Windows
            connection.sendall(burst[0] if len(burst) == 1 else b"".join(burst))
        else:
            send_pieces(connection, burst)
        if pace is not None:
            now = perf_counter_ns()
            pace.add(size, now - began)
            began = now


def framed(head: bytes, body: Body | None, tail: bytes) -> Iterator[bytes | memoryview]:
    """Yield a message as it goes over the wire, in chunks where its body is chunked."""
    if head:
        yield head
    if body is not None and body.chunked:
        # Most chunks are of one size, whose line is made once.
        size, line = -1, b""
        for piece in body.pieces:
            length = len(piece)
            if not length:
                continue  # a chunk of nothing would be the last
            if length != size:
                size, line = length, b"%x\r\n" % length
            yield line
            yield piece
            yield CRLF
    elif body is not None:
        yield from body.pieces
    if tail:
        yield tail


def bursts(pieces: Iterable[bytes | memoryview], most_bytes: int) -> Iterator[tuple[list[bytes | memoryview], int]]:
    """Yield the pieces in lists of about `most_bytes`, of no more than a system call takes, and how much each is."""
    burst: list[bytes | memoryview] = []
    held = 0
    for piece in pieces:
        burst.append(piece)
        held += len(piece)
        if held >= most_bytes or len(burst) >= MAX_PIECES:
            yield burst, held
            burst, held = [], 0
    if burst:
        yield burst, held


def send_pieces(connection: socket.socket | SpinSocket, pieces: list[bytes | memoryview]) -> None:
    """Send all pieces, in one call unless a signal or a full buffer cuts it short."""
    sent = connection.sendmsg(pieces)
    for piece in pieces:
        if sent < len(piece):
            connection.sendall(memoryview(piece)[sent:])
        sent = max(0, sent - len(piece))
