"""The payload: seeded bytes in chunks, in bounded memory whatever its size."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BLOCK_BYTES = 32 * 2**20


class Payload:
    """`size` seeded bytes in chunks of `chunk`; past 32 MiB (or one chunk) the same bytes come round again."""

    def __init__(self, *, size: int, chunk: int, seed: int) -> None:
        """Draw the bytes."""
        self.size = size
        self._chunk = chunk
        whole_chunks = max(1, BLOCK_BYTES // chunk)
        draw = random.Random(seed)  # noqa: S311 - bytes to send, not a secret
        wanted = min(size, whole_chunks * chunk)
        drawn = b"".join(draw.randbytes(min(BLOCK_BYTES, wanted - start)) for start in range(0, wanted, BLOCK_BYTES))
        block = memoryview(drawn)
        self._views = [block[start : start + chunk] for start in range(0, len(block), chunk)]

    @property
    def distinct(self) -> Sequence[memoryview]:
        """The chunks that differ, in their order."""
        return self._views

    def __iter__(self) -> Iterator[memoryview]:
        """Yield the chunks, the last one shorter where the size is no multiple."""
        whole, rest = divmod(self.size, self._chunk)
        views = self._views
        for number in range(whole):
            yield views[number % len(views)]
        if rest:
            yield views[whole % len(views)][:rest]

    def sha256(self) -> str:
        """Return the digest of the whole in hexadecimal."""
        digest = hashlib.sha256()
        for view in self:
            digest.update(view)
        return digest.hexdigest()
