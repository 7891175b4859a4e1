"""Work that may use more CPUs than the worker it is asked for by."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ResultT = TypeVar("ResultT")


@contextmanager
def unpinned_executor(cpus: Sequence[int]) -> Iterator[Callable[[Callable[[], ResultT]], ResultT]]:
    """Yield what does work in a thread that may run on all of `cpus`, as may all that it starts.

    The worker itself is pinned, and stays so: a thread begins where the one that starts it may run.
    """
    from concurrent.futures import ThreadPoolExecutor

    pin = partial(os.sched_setaffinity, 0, cpus) if cpus and hasattr(os, "sched_setaffinity") else None
    with ThreadPoolExecutor(1, initializer=pin) as pool:
        yield lambda work: pool.submit(work).result()
