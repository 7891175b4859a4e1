"""What the mock server and those who upload to it say to one another, beside HTTP."""

from __future__ import annotations

from msgspec import Struct

#: A request with this header and the value `sha256` gets the SHA-256 of its body in the receipt.
DIGEST_HEADER = "aether-digest"
LOOPBACK = "127.0.0.1"
#: What is sent to the raw port says first how long it is, in so many bytes, big-endian.
RAW_LENGTH_BYTES = 8
#: The server's own counters are at this path.
STATISTICS_PATH = "/-/statistics"


class Greeting(Struct, frozen=True, kw_only=True):
    """What the server says once it listens.

    `raw_port` drains what is no HTTP: RAW_LENGTH_BYTES that announce a length, so many bytes, and it answers with one.
    `certificate` is the PEM of the authority that its certificate is from, None without TLS.
    """

    port: int
    raw_port: int
    pid: int
    certificate: str | None = None
    note: str | None = None


class Receipt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the server took in: how many bytes, and their SHA-256 where it was asked for."""

    bytes: int
    sha256: str | None = None


class Statistics(Struct, frozen=True, kw_only=True):
    """What the server has done since it started, and what that took.

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
