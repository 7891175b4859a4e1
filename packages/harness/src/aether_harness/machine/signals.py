"""Requests to end by a signal, such as Ctrl-C, and the time for cleaning up after one."""

from __future__ import annotations

import math
import signal
import threading
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from aether_harness.machine.startup import followed_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: A CI host that cancels a job sends two or three signals within this time before it kills the job.
PUT_IN_ORDER_S = 10.0


class Interrupted(KeyboardInterrupt):
    """This process was asked to end, by the signal `number`."""

    def __init__(self, number: int) -> None:
        """Remember the signal."""
        super().__init__(number)
        self.number = number


class _Holding:
    """How many bodies hold requests back, one within another, and the requests that came meanwhile."""

    def __init__(self) -> None:
        self.bodies = 0
        self.numbers: list[int] = []


_HOLDING = _Holding()


@contextmanager
def held_back() -> Iterator[None]:
    """Have a request to end, as `ended_on_request` takes it, wait until the body is over.

    Use it while starting something that has to be ended later: the owner then knows of it before the interruption.
    Threads other than the main one receive no signals and defer nothing.

    Raises:
        Interrupted: afterwards, at a request that came meanwhile.

    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _HOLDING.bodies += 1
    try:
        yield
    finally:
        _HOLDING.bodies -= 1
        if _HOLDING.numbers and not _HOLDING.bodies:
            number = _HOLDING.numbers[0]
            _HOLDING.numbers.clear()
            signal.raise_signal(number)


@contextmanager
def ended_on_request() -> Iterator[Callable[[], None]]:
    """Have every request to end interrupt the body, but for one that comes while another is being followed.

    Yields a function that begins such a period without a request, for the end of a complete run. Signals that this
    process ignores, as under `nohup`, stay ignored. After a request the process ends, so that handlers are not
    restored.

    Raises:
        Interrupted: in the body, at a request.

    """
    passed_over_until = -math.inf
    was_asked = False

    def hold_off() -> None:
        nonlocal passed_over_until
        passed_over_until = monotonic() + PUT_IN_ORDER_S

    def interrupt(number: int, _frame: object) -> None:
        nonlocal was_asked
        if _HOLDING.bodies:
            _HOLDING.numbers.append(number)
        elif monotonic() >= passed_over_until:
            hold_off()
            was_asked = True
            raise Interrupted(number)

    before = followed_by(interrupt)
    try:
        yield hold_off
    finally:
        if not was_asked:
            for number, handler in before.items():
                signal.signal(number, handler)
