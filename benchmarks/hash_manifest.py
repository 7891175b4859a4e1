"""Times hashing the default tree and writing its manifest, without an archive: `hatch run bench:hash-manifest`."""

from __future__ import annotations

import os
import tempfile
from time import perf_counter_ns

from aether_harness.machine.affinity import allowed_cpus, assign_cpus, pin
from aether_pack_bench.manifest import hash_tree, write_manifest
from aether_pack_bench.trees.writer import write_seeded_tree
from aether_schema import quantile

SAMPLES = 500


def main() -> None:
    """Measure and print."""
    pin(assign_cpus(allowed_cpus()).worker_cpus)
    with tempfile.TemporaryDirectory() as folder:
        root, manifest = os.path.join(folder, "tree"), os.path.join(folder, "manifest.json")
        write_seeded_tree(root, files=100, size=1024, seed=1)
        elapsed_ms = []
        for _ in range(SAMPLES):
            started = perf_counter_ns()
            write_manifest(manifest, hash_tree(root))
            elapsed_ms.append((perf_counter_ns() - started) / 1e6)
    figures = ", ".join(f"p{share:.0%} {quantile(elapsed_ms, share):.3f} ms".replace("%", "") for share in (0.5, 0.95))
    print(f"100 files of 1 KiB, hash and manifest: {figures}, n {SAMPLES}")


if __name__ == "__main__":
    main()
