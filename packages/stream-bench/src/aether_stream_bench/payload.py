"""The payload: seeded bytes in chunks, in bounded memory for any size."""

from __future__ import annotations

import hashlib
import random
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: The same memory is sent again after this number of bytes, or one chunk.
BLOCK_BYTES = 32 * 2**20
#: Random bytes, repeated in other memory, because drawing more takes longer than sending them. A prime number, so that
#: no two chunks are equal.
PERIOD_BYTES = 2**20 - 3


@lru_cache(maxsize=1)
def drawn_bytes(*, size: int, chunk: int, seed: int) -> bytes:
    """Return the bytes that a payload repeats; the last ones are cached."""
    count = min(_block_bytes(size, chunk), PERIOD_BYTES)
    return random.Random(seed).randbytes(count)  # noqa: S311 - bytes to send, not a secret


def _block_bytes(size: int, chunk: int) -> int:
    """Return how much memory a payload is sent from."""
    return min(size, max(1, BLOCK_BYTES // chunk) * chunk)


class Payload:
    """`size` seeded bytes in chunks of `chunk`; they repeat, and past 32 MiB (or one chunk) so does their memory."""

    def __init__(self, *, size: int, chunk: int, seed: int) -> None:
        """Draw the bytes."""
        self.size = size
        self.chunk = chunk
        wanted, drawn = _block_bytes(size, chunk), drawn_bytes(size=size, chunk=chunk, seed=seed)
        self._block = memoryview(drawn * -(-wanted // max(len(drawn), 1)))[:wanted]

    @property
    def distinct(self) -> Sequence[memoryview]:
        """The chunks that differ, in their order."""
        block, chunk = self._block, self.chunk
        return [block[start : start + chunk] for start in range(0, len(block), chunk)]

    def __iter__(self) -> Iterator[memoryview]:
        """Yield the chunks, the last one shorter where the size is no multiple."""
        return self.pieces(self.chunk)

    def pieces(self, most: int, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """Yield the bytes from `start` up to `stop`, by default the end, in pieces of at most `most` bytes."""
        block, at = self._block, start
        stop = self.size if stop is None else min(stop, self.size)
        while at < stop:
            within = at % len(block)
            piece = block[within : within + min(most, stop - at)]
            yield piece
            at += len(piece)

    def sha256(self, start: int = 0, stop: int | None = None) -> str:
        """Return the digest of the bytes from `start` up to `stop`, by default of the whole, in hexadecimal."""
        digest = hashlib.sha256()
        for view in self.pieces(BLOCK_BYTES, start, stop):
            digest.update(view)
        return digest.hexdigest()
