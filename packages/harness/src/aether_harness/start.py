"""The start and the end of a command, while its modules are imported and while the interpreter shuts down.

Nothing has begun then, or all is done: a request to end is one line and an exit status, not a traceback out of whatever
is being imported.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

#: The requests to end, and how a command says that it followed one.
REQUESTS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "hung up"}


def run_command(program: str, module: str) -> int:
    """Run `main` of the command's module and return its exit status."""

    def end(number: int, _frame: object) -> NoReturn:
        with suppress(OSError):  # nobody listens
            os.write(2, f"{program}: {followed(number)}\n".encode())
        os._exit(128 + number)

    before = followed_by(end)
    main: Callable[[], int] = import_module(module).main
    try:
        for number, handler in before.items():
            signal.signal(number, handler)
        return main()
    except KeyboardInterrupt:
        # It came before the command could take it, or after.
        end(signal.SIGINT, None)
    finally:
        followed_by(end)


def followed_by(handler: Callable[[int, Any], object]) -> dict[int, Any]:
    """Have requests to end call `handler`, but for those that this process was told to pass over, as by `nohup`.

    Returns the handlers that were there before, by signal.
    """
    numbers = [getattr(signal, name) for name in REQUESTS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    before = {number: each for number, each in before.items() if each != signal.SIG_IGN}
    for number in before:
        signal.signal(number, handler)
    return before


def followed(number: int) -> str:
    """Return the word for having followed a request."""
    return REQUESTS[signal.Signals(number).name]
