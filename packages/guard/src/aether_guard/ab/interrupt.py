"""Requests to end, by whichever signal, and the time it takes to put things in order after one."""

from __future__ import annotations

import math
import signal
import threading
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Who cancels a job asks two or three times within so many seconds before killing it.
PUT_IN_ORDER_S = 10.0
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class _Holding:
    """Whether requests are held back, and those that came meanwhile."""

    def __init__(self) -> None:
        self.is_on = False
        self.numbers: list[int] = []


_HOLDING = _Holding()


@contextmanager
def held_back() -> Iterator[None]:
    """Have a request to end, as `ended_on_request` takes it, wait until the body is over.

    For what begins something that has to be ended: whoever ends it knows of it by then. Other threads than the main one
    are asked nothing, and hold nothing back.

    Raises:
        KeyboardInterrupt: afterwards, at a request that came meanwhile.

    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _HOLDING.numbers.clear()
    try:
        _HOLDING.is_on = True
        yield
    finally:
        _HOLDING.is_on = False
        if _HOLDING.numbers:
            signal.raise_signal(_HOLDING.numbers[0])


@contextmanager
def ended_on_request() -> Iterator[Callable[[], None]]:
    """Take every request to end as a Ctrl-C, but for one that comes while another is being followed.

    Yields what begins such a time without a request, for the end of a run that nobody broke off. What this process was
    told to pass over, as by `nohup`, it does. After a request the process ends, so that nothing is put back.

    Raises:
        KeyboardInterrupt: in the body, at a request.

    """
    passed_over_until = -math.inf
    was_asked = False

    def hold_off() -> None:
        nonlocal passed_over_until
        passed_over_until = monotonic() + PUT_IN_ORDER_S

    def interrupt(number: int, _frame: object) -> None:
        nonlocal was_asked
        if _HOLDING.is_on:
            _HOLDING.numbers.append(number)
        elif monotonic() >= passed_over_until:
            hold_off()
            was_asked = True
            raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    followed = [number for number in numbers if before[number] != signal.SIG_IGN]
    for number in followed:
        signal.signal(number, interrupt)
    try:
        yield hold_off
    finally:
        if not was_asked:
            for number in followed:
                signal.signal(number, before[number])
