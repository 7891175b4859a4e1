"""Compressing blocks by threads, in order, with no more of them in memory than the threads have at hand."""

from __future__ import annotations

from collections import deque
from time import perf_counter_ns
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor

#: How many blocks wait beside those being compressed, so that a thread finds one when it is done.
QUEUED_BLOCKS = 2


class BlockCompressor:
    """Compresses every block by itself, or with what came before it, in as many threads as asked for.

    `compress` is given a block, the block before it (empty before the first), and whether it is the last. What
    it returns is written in the blocks' order, whichever thread was done first. With one thread all is done in
    the caller's own.
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
        """Compress the last block and write what is left."""
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
