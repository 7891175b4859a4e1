"""`python -m aether_guard` is `aether-guard`."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn


def main() -> int:
    """Run `aether-guard` and return its exit status.

    An interruption while modules are imported, or while the interpreter shuts down, is one line and an exit status.
    """
    before = signal.getsignal(signal.SIGINT)
    # A process that is told to pass it over, as one in the background is, does.
    at_once = before if before == signal.SIG_IGN else _end
    signal.signal(signal.SIGINT, at_once)
    from aether_guard.cli.app import main as run

    try:
        signal.signal(signal.SIGINT, before)
        return run()
    except KeyboardInterrupt:
        _end()
    finally:
        signal.signal(signal.SIGINT, at_once)


def _end(*_: object) -> NoReturn:
    with suppress(OSError):  # nobody listens
        os.write(2, b"aether-guard: error: interrupted\n")
    os._exit(128 + signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
