"""The state of the server: its counters, and the uploads of several requests."""

from __future__ import annotations

import hashlib
import secrets
from time import process_time
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from aether_harness.machine.counters import peak_memory_bytes
from aether_stream_bench.wire import Receipt, Statistics

if TYPE_CHECKING:
    from aether_stream_bench.server.limits import Limits

#: As many parts as S3 allows an upload.
MAX_PARTS = 10_000


class Part(Struct, frozen=True):
    """A part of an S3-style upload: how much it is and the tag it was receipted with."""

    bytes: int
    tag: str


class Upload(Struct, kw_only=True):
    """An upload of several requests: how much has come of how much, and its hash where one was asked for."""

    expected: int | None = None
    received: int = 0
    hash: Any = None
    parts: dict[int, Part] = msgspec.field(default_factory=dict)

    def take(self, body: memoryview) -> None:
        """Count received bytes, and hash them if requested."""
        self.received += len(body)
        if self.hash is not None:
            self.hash.update(body)

    def restart(self) -> None:
        """Discard the received bytes."""
        self.received = 0
        self.hash = None if self.hash is None else hashlib.sha256()

    def receipt(self) -> Receipt:
        """Return the receipt so far."""
        digest = None if self.hash is None else self.hash.hexdigest()
        return Receipt(bytes=self.received, sha256=digest)


class ServerState:
    """The server's counters and the uploads it remembers."""

    def __init__(self, limits: Limits) -> None:
        """Begin empty."""
        self.limits = limits
        self.connections = self.open = self.requests = self.refused = self.uploads = 0
        self.received = self.receipted = 0
        self.last: Receipt | None = None
        self._kept: dict[str, Upload] = {}

    def create_upload(self, *, expected: int | None = None, hashed: bool = False) -> tuple[str, Upload]:
        """Return a new upload and its id, by which it is found again."""
        while len(self._kept) >= self.limits.kept_uploads:
            del self._kept[next(iter(self._kept))]
        key = secrets.token_hex(8)
        self._kept[key] = Upload(expected=expected, hash=hashlib.sha256() if hashed else None)
        return key, self._kept[key]

    def find(self, key: str) -> Upload | None:
        """Return the upload of an id, None where there is none or no longer."""
        return self._kept.get(key)

    def forget(self, key: str) -> None:
        """Remember an upload no longer."""
        self._kept.pop(key, None)

    def receipt(self, receipt: Receipt) -> Receipt:
        """Count an upload that is complete."""
        self.uploads += 1
        self.receipted += receipt.bytes
        self.last = receipt
        return receipt

    def statistics(self) -> Statistics:
        """Return the counters as they are."""
        return Statistics(
            connections=self.connections,
            open=self.open,
            requests=self.requests,
            refused=self.refused,
            uploads=self.uploads,
            received=self.received,
            receipted=self.receipted,
            cpu_s=process_time(),
            peak_memory_bytes=peak_memory_bytes(),
            last=self.last,
        )
