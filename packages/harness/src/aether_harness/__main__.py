"""`python -m aether_harness` is `aether-bench`."""

from __future__ import annotations

import sys

from aether_harness.cli import main

if __name__ == "__main__":
    sys.exit(main())
