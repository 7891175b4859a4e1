"""Compressing blocks by threads, in order, with no more of them in memory than the threads have at hand."""

from __future__ import annotations

from collections import deque
from time import perf_counter_ns
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor

#: The number of blocks that wait in addition to those being compressed, so that a free thread finds one.
QUEUED_BLOCKS = 2


class BlockCompressor:
    """Compresses each block alone, or with the previous block, in a number of threads.

    `compress` gets a block, the previous block (empty before the first), and whether it is the last. Results are
    written in the order of the blocks, even if a later one is ready first. With one thread the caller's thread does
    everything.
    """

    def __init__(
        self,
        write: Callable[[bytes], None],
        compress: Callable[[bytes | memoryview, bytes | memoryview, bool], bytes],
        threads: int,
    ) -> None:
        """Hand the compressed blocks to `write`."""
        self.compress_ns = 0
        self.write_ns = 0
        self._write = write
        self._compress = compress
        self._pool = _pool_of(threads) if threads > 1 else None
        self._most = threads + QUEUED_BLOCKS
        self._pending: deque[Future[tuple[bytes, int]]] = deque()
        self._before: bytes | memoryview = b""

    def add(self, block: bytes | memoryview) -> None:
        """Compress a block that is not the last."""
        self._submit(block, last=False)

    def finish(self, block: bytes | memoryview) -> None:
        """Compress the last block and write the remaining results."""
        self._submit(block, last=True)
        while self._pending:
            self._take()

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _submit(self, block: bytes | memoryview, *, last: bool) -> None:
        before, self._before = self._before, block
        if self._pool is None:
            self._written(*self._timed(block, before, last))
            return
        self._pending.append(self._pool.submit(self._timed, block, before, last))
        if len(self._pending) >= self._most:
            self._take()

    def _timed(self, block: bytes | memoryview, before: bytes | memoryview, last: bool) -> tuple[bytes, int]:  # noqa: FBT001
        started = perf_counter_ns()
        compressed = self._compress(block, before, last)
        return compressed, perf_counter_ns() - started

    def _take(self) -> None:
        self._written(*self._pending.popleft().result())

    def _written(self, compressed: bytes, elapsed_ns: int) -> None:
        self.compress_ns += elapsed_ns
        started = perf_counter_ns()
        self._write(compressed)
        self.write_ns += perf_counter_ns() - started


def _pool_of(threads: int) -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(threads)
