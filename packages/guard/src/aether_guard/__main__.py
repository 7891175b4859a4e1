"""`python -m aether_guard` is `aether-guard`."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn


def main() -> int:
    """Run `aether-guard` and return its exit status.

    An interrupt during imports or interpreter shutdown prints one line and exits.
    """
    before = signal.getsignal(signal.SIGINT)
    # A background process that ignores SIGINT keeps ignoring it.
    handler = before if before == signal.SIG_IGN else _end
    signal.signal(signal.SIGINT, handler)
    from aether_guard.cli.app import main as run

    try:
        signal.signal(signal.SIGINT, before)
        return run()
    except KeyboardInterrupt:
        _end()
    finally:
        signal.signal(signal.SIGINT, handler)


def _end(*_: object) -> NoReturn:
    with suppress(OSError):  # stderr may be closed
        os.write(2, b"aether-guard: error: interrupted\n")
    os._exit(128 + signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
