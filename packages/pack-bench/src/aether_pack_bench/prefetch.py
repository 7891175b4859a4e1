"""Work done ahead by threads and taken in order."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future, ThreadPoolExecutor

#: How many are handed over at a time: handing one over, and waking up who waits for it, costs what reading some small
#: files does.
BATCH = 128

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


@contextmanager
def map_ordered(
    given: Sequence[ItemT], work: Callable[[Sequence[ItemT]], ResultT], threads: int
) -> Iterator[Iterator[ResultT]]:
    """Yield an iterator over what `work` makes of one batch of `given` after the other.

    With several threads they are that many batches and one ahead of what was taken, never more.
    """
    batches = (given[start : start + BATCH] for start in range(0, len(given), BATCH))
    if threads == 1:
        yield map(work, batches)
        return
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(threads)
    try:
        yield _ahead(batches, work, pool, threads + 1)
    finally:
        pool.shutdown(cancel_futures=True)


def _ahead(
    batches: Iterator[Sequence[ItemT]], work: Callable[[Sequence[ItemT]], ResultT], pool: ThreadPoolExecutor, most: int
) -> Iterator[ResultT]:
    pending: deque[Future[ResultT]] = deque()
    for batch in batches:
        pending.append(pool.submit(work, batch))
        if len(pending) == most:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
