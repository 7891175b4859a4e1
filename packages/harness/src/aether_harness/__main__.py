"""`python -m aether_harness` is `aether-bench`."""

from __future__ import annotations

import sys

from aether_harness.machine.startup import run_command


def main() -> int:
    """Run `aether-bench` and return its exit status."""
    return run_command("aether-bench", "aether_harness.cli.app")


if __name__ == "__main__":
    sys.exit(main())
