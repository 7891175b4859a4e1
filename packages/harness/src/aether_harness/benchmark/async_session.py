"""A session whose sample is awaited, on an event loop that lasts as long as the round."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import anyio
from greenlet import getcurrent, greenlet

from aether_harness.benchmark.protocol import SampleResult
from aether_harness.errors import BenchError, UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable

#: The result of a sample, or its exception; None if only the set-up is done.
SampleOutcome = SampleResult | Exception | None
#: Hand over a result; return whether another sample is wanted.
YieldSample = Callable[[SampleOutcome], bool]


class AsyncSession:
    """A coroutine function, awaited by every sample, always in the same task, so that its set-up stays valid.

    The event loop has its own stack in this thread, because this thread's counters are the evidence about a sample.
    Between samples the loop stands still in the middle of the task.
    """

    def __init__(self, serve: Callable[[YieldSample], Awaitable[None]], backend: str) -> None:
        """Set up by running `serve` on anyio's `backend` until it first hands over.

        Raises:
            UsageError: there is no such backend here.

        """
        if backend not in anyio.get_all_backends() or find_spec(backend) is None:
            raise UsageError(f"backend={backend!r}: take asyncio, or trio where that is installed")
        self._caller = getcurrent()
        self._loop = greenlet(partial(anyio.run, serve, self._hand_over, backend=backend))
        self._loop.switch()

    def sample(self) -> SampleResult:
        """Run the loop until the next sample is taken."""
        # An ended greenlet returns the value that it is given.
        taken: SampleOutcome = None if self._loop.dead else self._loop.switch(True)
        if taken is None:
            raise BenchError("the bench's set-up ended before its samples did")
        if isinstance(taken, Exception):
            raise taken
        return taken

    def verify(self) -> None:
        """Nothing is claimed, so nothing is checked."""

    def close(self) -> None:
        """Tear the set-up down, which goes on behind its yield as a plain one's does, and end the loop."""
        if not self._loop.dead:
            self._loop.switch(False)

    def _hand_over(self, taken: SampleOutcome) -> bool:
        wanted: Any = self._caller.switch(taken)
        return bool(wanted)
