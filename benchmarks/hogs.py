"""Two processes that burn CPU in seeded bursts, as load next to a command: `python benchmarks/hogs.py COMMAND…`.

Runs COMMAND with the hogs at work, and stops them with it.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from multiprocessing import get_context
from time import monotonic, sleep

HOGS = 2


def burn(seed: int) -> None:
    """Burn for 20 to 300 ms, rest for 20 to 300 ms, while the parent runs."""
    draw = random.Random(seed)  # noqa: S311 - a tree to pack, not a secret
    parent = os.getppid()
    while os.getppid() == parent:
        ends = monotonic() + draw.uniform(0.02, 0.3)
        while monotonic() < ends:
            pass
        sleep(draw.uniform(0.02, 0.3))


def main() -> int:
    """Run the command between two hogs and return its exit status."""
    spawning = get_context("spawn")
    hogs = [spawning.Process(target=burn, args=(seed,), daemon=True) for seed in range(HOGS)]
    for hog in hogs:
        hog.start()
    try:
        return subprocess.run(sys.argv[1:], check=False).returncode
    finally:
        for hog in hogs:
            hog.terminate()


if __name__ == "__main__":
    sys.exit(main())
