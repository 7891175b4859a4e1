"""A session whose sample is awaited, on an event loop that lasts as long as the round."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aether_harness.error import BenchError
from aether_harness.plugin import Sampled

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

Orders = asyncio.Queue[asyncio.Future[Sampled] | None]


class CoroutineSession:
    """A coroutine function, awaited by every sample, always in the same task, so that its set-up stays valid."""

    def __init__(self, serving: Callable[[Orders], Coroutine[Any, Any, None]]) -> None:
        """Have `serving` answer each future in its queue with a sample, until there is None."""
        self._loop = asyncio.new_event_loop()
        self._queue: Orders = asyncio.Queue()
        self._task = self._loop.create_task(serving(self._queue))

    def sample(self) -> Sampled:
        """Run the loop until the next sample is taken."""
        future: asyncio.Future[Sampled] = self._loop.create_future()
        self._queue.put_nowait(future)
        waited_for: set[asyncio.Future[Any]] = {future, self._task}
        self._loop.run_until_complete(asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED))
        if not future.done():
            self._task.result()  # raises what ended it
            raise BenchError("the bench's set-up ended before its samples did")
        return future.result()

    def verify(self) -> None:
        """Nothing is claimed, so nothing is checked."""

    def close(self) -> None:
        """Tear the set-up down, which goes on behind its yield as a plain one's does, and close the loop."""
        ended_before = self._task.done()
        self._queue.put_nowait(None)
        try:
            self._loop.run_until_complete(asyncio.wait({self._task}))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()
        if not ended_before:
            self._task.result()  # raises what tearing down raised
