"""`python -m aether_guard` is `aether-guard`."""

from __future__ import annotations

import sys

from aether_guard.cli import main

if __name__ == "__main__":
    sys.exit(main())
