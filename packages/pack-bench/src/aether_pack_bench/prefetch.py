"""Work done ahead by threads and taken in order."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future, ThreadPoolExecutor

#: The batch size: passing on a batch, and waking the thread that waits for it, costs as much as reading some small
#: files.
BATCH = 128

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


@contextmanager
def map_ordered(
    given: Sequence[ItemT], work: Callable[[Sequence[ItemT]], ResultT], threads: int
) -> Iterator[Iterator[ResultT]]:
    """Yield an iterator over the results of `work` for successive batches of `given`.

    With several threads, at most one batch per thread and one more are ahead of the consumer.
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
