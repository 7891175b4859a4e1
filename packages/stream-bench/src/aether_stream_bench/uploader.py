"""The built-in uploader: one kept-alive HTTP/1.1 connection, a chunked body, no copy of the payload."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h11
import msgspec

from aether_harness import BenchError
from aether_stream_bench.server import DIGEST_HEADER, Receipt
from aether_stream_bench.wire import LOOPBACK, connected

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

_RECEIVE_BYTES = 2**16
_OK = 200


class Uploader:
    """A connection to the mock server on `port`, for one upload after another."""

    def __init__(self, port: int, *, is_busy: bool = False, one_cpu: bool = False) -> None:
        """Connect; wait busily if the server has a CPU of its own, or share `one_cpu` with it.

        Raises:
            BenchError: nothing listens on the port.

        """
        self._host = f"{LOOPBACK}:{port}"
        self._protocol = h11.Connection(h11.CLIENT)
        self._wire = connected(port, is_busy=is_busy, one_cpu=one_cpu)

    def __enter__(self) -> Self:
        """Be closed by the end of a `with`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._wire.close()

    def upload(self, chunks: Iterable[memoryview], *, digest: bool = False) -> Receipt:
        """Send `chunks`, an HTTP chunk each, and return what the server says it took in.

        Raises:
            BenchError: the connection broke or the server refused.

        """
        headers = [("Host", self._host), ("Transfer-Encoding", "chunked")]
        if digest:
            headers.append((DIGEST_HEADER, "sha256"))
        try:
            self._send(h11.Request(method="PUT", target="/upload", headers=headers))
            for chunk in chunks:
                # The stub asks for bytes; any buffer is passed through as it is.
                self._send(h11.Data(data=chunk))  # type: ignore[arg-type]
            self._send(h11.EndOfMessage())
            return self._receive()
        except OSError as error:
            raise BenchError(f"{self._host}: the upload broke off: {error.strerror or error}") from None
        except h11.ProtocolError as error:
            raise BenchError(f"{self._host}: {error}") from None

    def _send(self, event: h11.Event) -> None:
        pieces = self._protocol.send_with_data_passthrough(event) or []
        if pieces:
            self._wire.send(pieces)

    def _receive(self) -> Receipt:
        status, body = 0, b""
        while not isinstance(event := self._protocol.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                received = self._wire.receive(_RECEIVE_BYTES)
                if not received and not status:
                    raise BenchError(f"{self._host}: the server closed the connection without an answer")
                self._protocol.receive_data(received)
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.ConnectionClosed):
                raise BenchError(f"{self._host}: the server closed the connection without an answer")
        if status != _OK:
            raise BenchError(f"{self._host}: the server answered {status}")
        self._protocol.start_next_cycle()
        try:
            return msgspec.json.decode(body, type=Receipt)
        except msgspec.MsgspecError as error:
            raise BenchError(f"{self._host}: the server's receipt is none: {error}") from None
