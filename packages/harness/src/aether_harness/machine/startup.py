"""Handle requests to end a command while its modules are imported and while the interpreter shuts down.

No work is in progress at these times, so a request to end results in one line and an exit status instead of a traceback
from the module being imported.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

#: The signals that ask a command to end, and the word that it prints when it does.
REQUESTS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "hung up"}


def run_command(program: str, module: str) -> int:
    """Run `main` of the command's module and return its exit status."""

    def end(number: int, _frame: object) -> NoReturn:
        with suppress(OSError):  # standard error is closed
            os.write(2, f"{program}: {followed(number)}\n".encode())
        os._exit(128 + number)

    before = followed_by(end)
    main: Callable[[], int] = import_module(module).main
    try:
        for number, handler in before.items():
            signal.signal(number, handler)
        return main()
    except KeyboardInterrupt:
        # The signal came before the command installed its own handler, or after it removed it.
        end(signal.SIGINT, None)
    finally:
        followed_by(end)


def followed_by(handler: Callable[[int, Any], object]) -> dict[int, Any]:
    """Install `handler` for all requests to end, except for signals that this process ignores, as under `nohup`.

    Returns the previous handlers by signal.
    """
    numbers = [getattr(signal, name) for name in REQUESTS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    before = {number: each for number, each in before.items() if each != signal.SIG_IGN}
    for number in before:
        signal.signal(number, handler)
    return before


def followed(number: int) -> str:
    """Return the word that a command prints when it ends on this signal."""
    return REQUESTS[signal.Signals(number).name]
