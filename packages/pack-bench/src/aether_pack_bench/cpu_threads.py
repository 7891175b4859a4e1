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
    """Yield a function that runs work in a thread on all of `cpus`, as do all threads that it starts.

    The worker stays pinned: a thread starts on the CPUs of the thread that starts it.
    """
    from concurrent.futures import ThreadPoolExecutor

    pin = partial(os.sched_setaffinity, 0, cpus) if cpus and hasattr(os, "sched_setaffinity") else None
    with ThreadPoolExecutor(1, initializer=pin) as pool:
        yield lambda work: pool.submit(work).result()
