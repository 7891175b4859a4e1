"""Requests to end, by a signal such as that of Ctrl-C, and the time it takes to put things in order after one."""

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

#: Who cancels a job asks two or three times within so many seconds before killing it.
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

    For what begins something that has to be ended: whoever ends it knows of it by then. Other threads than the main one
    are asked nothing, and hold nothing back.

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

    Yields what begins such a time without a request, for the end of a run that nobody broke off. What this process was
    told to pass over, as by `nohup`, it does. After a request the process ends, so that nothing is put back.

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
