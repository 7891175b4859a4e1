"""How packing grows: the cost of a file in trees of 1,000 to 100,000, and the memory a large file takes.

`hatch run bench:pack-growth`; every figure comes from a process of its own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from time import perf_counter

from aether_harness.witness import peak_memory_bytes
from aether_pack_bench.archive import pack
from aether_pack_bench.packer import find_packer
from aether_pack_bench.seeded import write_seeded_tree
from aether_schema import quantile

COUNTS = (1_000, 3_000, 10_000, 30_000, 100_000)
ROUNDS = 3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=float, default=20.0, help="GB of the large file, which is sparse")
    parser.add_argument("--packer", default="isal")
    parser.add_argument("--threads", default="1")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for count in COUNTS:
            root = os.path.join(folder, str(count))
            write_seeded_tree(root, files=count, size=1024, seed=1)
            print(f"{count:7,} files of 1 KiB: {_elsewhere(root, options.packer, options.threads)}", flush=True)
        if options.size:
            root = os.path.join(folder, "large")
            os.mkdir(root)
            with open(os.path.join(root, "sparse.bin"), "wb") as file:
                file.truncate(int(options.size * 1e9))
            print(f"a file of {options.size:g} GB: {_elsewhere(root, 'zstd', '2', rounds=1)}", flush=True)


def _elsewhere(root: str, name: str, threads: str, *, rounds: int = ROUNDS) -> str:
    command = [sys.executable, __file__, "--one", root, name, threads, str(rounds)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def _one(root: str, name: str, threads: str, rounds: str) -> None:
    """Pack a tree and print what it took."""
    elapsed_s = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(int(rounds)):
            started = perf_counter()
            artifact, manifest = os.path.join(folder, "artifact"), os.path.join(folder, "manifest.json")
            packed = pack(root, artifact, manifest, packer=find_packer(name), level=1, threads=int(threads))
            elapsed_s.append(perf_counter() - started)
    files = sum(item.size is not None for item in packed.manifest.items)
    size = sum(item.size or 0 for item in packed.manifest.items)
    median_s = quantile(elapsed_s, 0.5)
    peak = (peak_memory_bytes() or 0) / 1e6
    print(f"{median_s / files * 1e6:,.1f} us a file, {size / 1e6 / median_s:,.0f} MB/s, peak memory {peak:,.0f} MB")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        _one(*sys.argv[2:])
    else:
        main()
