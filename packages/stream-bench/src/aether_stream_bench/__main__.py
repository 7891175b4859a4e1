"""`python -m aether_stream_bench` is `aether-stream-bench`."""

from __future__ import annotations

import sys

from aether_harness.machine.startup import run_command


def main() -> int:
    """Run `aether-stream-bench` and return its exit status."""
    return run_command("aether-stream-bench", "aether_stream_bench.cli")


if __name__ == "__main__":
    sys.exit(main())
