"""TLS over a socket, its records made and read in memory, so that many of them go in one system call.

An `ssl.SSLSocket` makes one system call for every record that it sends, and two for every one that it receives: at most
16 KiB. That is its limit, not the cipher.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from aether_stream_bench.net.busy_poll import Buffer, SpinSocket

    Plain = socket.socket | SpinSocket

#: As much as a record holds (RFC 8446, 5.1).
RECORD_BYTES = 2**14
#: The number of bytes to send at once: an allocator reuses memory of this size.
SENT_BYTES = 2**16
#: The number of bytes of records to receive at once.
RECORDS_BYTES = 2**16
#: The maximum pending bytes for the peer: refusals of repeated handshakes.
MAX_PENDING_BYTES = 2**16


class MemoryTlsSocket:
    """A connected socket with TLS over it; it blocks if `connection` does, and else raises BlockingIOError."""

    def __init__(self, connection: Plain, context: ssl.SSLContext, *, server_hostname: str | None) -> None:
        """Be the client of `server_hostname` on `connection`, or the server where there is none; no handshake yet."""
        self._socket = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        is_server = server_hostname is None
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=is_server, server_hostname=server_hostname
        )
        self._is_at_end = False

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def cipher(self) -> str:
        """Return the name of the cipher that was agreed on."""
        agreed = self._tls.cipher()
        return agreed[0] if agreed else ""

    def handshake(self) -> bool:
        """Take the next step of the handshake and return whether it was the last; send `pending_records` afterwards.

        Raises:
            OSError: the peer closed, or the handshake failed; `pending_records` then holds the alert for the peer.

        """
        with suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
            return True
        return False

    def pending_records(self) -> bytes:
        """Return the records that are to be sent by now."""
        return self._outgoing.read()

    def encrypt(self, data: Buffer) -> bytes:
        """Return the records to be sent for `data`, behind those that are due anyway."""
        if data:
            self._tls.write(data)
        return self._outgoing.read()

    def _send_due(self) -> None:
        while self._outgoing.pending:
            self._socket.sendall(self._outgoing.read(SENT_BYTES))

    def receive_records(self) -> bool:
        """Receive some records and return whether there were any, or the other side has closed."""
        received = self._socket.recv(RECORDS_BYTES)
        self._incoming.write(received)
        return bool(received)

    def recv_into(self, buffer: memoryview) -> int:
        """Wait for bytes and return how many there are in `buffer` now, as many as have come; none at the end.

        Raises:
            OSError: the received data is invalid, or nothing came in time.

        """
        filled = 0
        while filled < len(buffer) and not self._is_at_end:
            try:
                read = cast("int", self._tls.read(len(buffer) - filled, buffer[filled:]))
            except ssl.SSLWantReadError:
                if filled:
                    break
                if self._outgoing.pending > MAX_PENDING_BYTES:
                    raise ConnectionAbortedError from None
                # A peer that closes without a TLS alert has closed too; lengths show whether everything came.
                self._is_at_end = not self.receive_records()
                continue
            self._is_at_end = not read
            filled += read
        return filled

    def recv(self, limit: int) -> bytes:
        """Wait for bytes and return at most `limit` of them."""
        buffer = bytearray(limit)
        return bytes(memoryview(buffer)[: self.recv_into(memoryview(buffer))])

    def send(self, records: Buffer) -> int:
        """Send a part of the result of `encrypt` or `pending_records`, and return its size."""
        return self._socket.send(records)

    def sendall(self, data: Buffer) -> None:
        """Send all of `data`, on a socket that blocks."""
        self.send_pieces([data])

    def send_pieces(self, pieces: Iterable[Buffer]) -> None:
        """Send all pieces at once, on a socket that blocks; those that are small share records, no other is copied."""
        small: list[Buffer] = []
        for piece in pieces:
            if len(piece) < RECORD_BYTES:
                small.append(piece)
                continue
            if small:
                self._tls.write(b"".join(small))
                small = []
            self._tls.write(piece)
        if small:
            self._tls.write(b"".join(small))
        self._send_due()


def tls_connect(connection: Plain, context: ssl.SSLContext, server_hostname: str) -> MemoryTlsSocket:
    """Return a client's end of TLS behind its handshake, on a socket that blocks.

    Raises:
        OSError: it failed, or the other side has closed.

    """
    secure = MemoryTlsSocket(connection, context, server_hostname=server_hostname)
    try:
        while not secure.handshake():
            connection.sendall(secure.pending_records())
            if not secure.receive_records():
                raise ConnectionResetError("closed amid the handshake of TLS")
    finally:
        with suppress(OSError):
            connection.sendall(secure.pending_records())
    return secure
