"""The protocol between the mock server and its uploaders, in addition to HTTP."""

from __future__ import annotations

from msgspec import Struct

#: A request with this header and the value `sha256` gets the SHA-256 of its body in the receipt.
DIGEST_HEADER = "aether-digest"
LOOPBACK = "127.0.0.1"
#: The size of the length prefix on the raw port in bytes; big-endian.
RAW_LENGTH_BYTES = 8
#: The server's own counters are at this path.
STATISTICS_PATH = "/-/statistics"


class Greeting(Struct, frozen=True, kw_only=True):
    """The server's message once it listens.

    `raw_port` reads without HTTP: RAW_LENGTH_BYTES announce a length, that number of bytes follows, and one byte
    answers. `certificate` is the PEM of the authority of its certificate, None without TLS.
    """

    port: int
    raw_port: int
    pid: int
    certificate: str | None = None
    note: str | None = None


class Receipt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The received bytes, and their SHA-256 if requested."""

    bytes: int
    sha256: str | None = None


class Statistics(Struct, frozen=True, kw_only=True):
    """The counters of the server since its start, and their costs.

    `received` are the bytes of all bodies, of uploads that broke off too; `uploads` are those answered with a
    receipt, whose bytes are in `receipted`; `last` is the newest of them.
    """

    connections: int
    open: int
    requests: int
    refused: int
    uploads: int
    received: int
    receipted: int
    cpu_s: float
    peak_memory_bytes: int | None = None
    last: Receipt | None = None
