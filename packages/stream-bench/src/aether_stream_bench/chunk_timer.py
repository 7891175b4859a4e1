"""How long chunks take on their way out, from the times at which an uploader hands them over.

The clock is read once per system call or 64 KiB, not once per chunk: many small chunks are sent at once and share the
time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aether_schema import quantile

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Pieces are timed in stretches of at least this number of bytes.
STRETCH_BYTES = 2**16
#: With more stretches than this, every second one is kept, repeatedly: memory is bounded for any upload.
MAX_SPANS = 1024


class ChunkTimer:
    """Stretches of bodies that went out in chunks: how many bytes, and how long they took."""

    def __init__(self) -> None:
        """Begin with none."""
        self.spans: list[tuple[int, int]] = []
        self._every = self._due = 1

    def add(self, sent_bytes: int, elapsed_ns: int) -> None:
        """Add `sent_bytes` and their duration."""
        self._due -= 1
        if self._due:
            return
        self.spans.append((sent_bytes, elapsed_ns))
        if len(self.spans) >= MAX_SPANS:
            del self.spans[::2]
            self._every *= 2
        self._due = self._every


def chunk_times_ms(paces: Iterable[ChunkTimer], chunk_bytes: int, probabilities: Iterable[float]) -> list[float]:
    """Return quantiles over the chunks of all paces of how long a chunk took, in ms; none where none was timed."""
    values: list[float] = []
    for pace in paces:
        for sent_bytes, elapsed_ns in pace.spans:
            # Less than half a chunk is the end of a body, which is no chunk.
            values += [elapsed_ns * chunk_bytes / sent_bytes / 1e6] * round(sent_bytes / chunk_bytes)
    return [quantile(values, probability) for probability in probabilities] if values else []
