"""Packs one tree with the built-in packers and with usual tools: `hatch run bench:pack-peers [--tree DIR]`.

Every candidate runs in every round, in turn, on all CPUs and with a warm cache. The peers neither hash nor write a
manifest; the built-in packers do both.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from time import perf_counter, process_time

from msgspec import Struct

from aether_harness.sweep.pareto import pareto_mask
from aether_pack_bench.codecs.packer import find_packer
from aether_pack_bench.manifest import hash_tree, write_manifest
from aether_pack_bench.packing import pack
from aether_pack_bench.trees.profiles import PROFILES, plan_tree
from aether_pack_bench.trees.writer import write_tree
from aether_schema import quantile

THREADS = len(os.sched_getaffinity(0))
PEERS = ("tar -cf - . | pigz -6", "tar -cf - . | zstd -q -3 -T0", "bsdtar -czf - .")
OWN = (
    *(("zstd", level) for level in (1, 2, 3, 5)),
    *(("isal", level) for level in (1, 2, 3)),
    *(("libdeflate", level) for level in (4, 5, 6)),
    ("zlib-ng", 6),
    ("gzip", 6),
    ("store", 0),
)
#: Writing back the output of one candidate must not slow the next one down.
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108
SUMS = "find . -type f -print0 | xargs -0 -P2 -n 64 sha256sum"


class Candidate(Struct):
    """A candidate that packs, or only hashes, with its times, CPU times and bytes per round."""

    name: str
    run: Callable[[], object]
    elapsed_s: list[float] = []
    cpu_s: list[float] = []
    output_bytes: int = 0

    @property
    def median_s(self) -> float:
        """The median time."""
        return quantile(self.elapsed_s, 0.5)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tree", help="a folder to pack")
    parser.add_argument("--profile", default="python-wheelhouse", choices=PROFILES, help="or a seeded tree")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", default=MEMORY, help="a folder for what is packed, by default in memory")
    parser.add_argument("--only", nargs="*", default=[], help="parts of the names of what is to run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory(dir=options.output) as written:
        output = os.path.join(written, "output")
        root = options.tree or os.path.join(folder, "tree")
        if not options.tree:
            profile = PROFILES[options.profile]
            planned = plan_tree(profile, files=round(profile.files * options.scale), seed=1)
            write_tree(root, planned)
        sizes = [item.size for item in hash_tree(root, threads=THREADS).items if item.size is not None]
        print(f"{len(sizes):,} files, {sum(sizes) / 1e6:,.1f} MB, {THREADS} CPUs, {options.rounds} rounds, medians\n")
        peers = [_shell(root, line, output) for line in PEERS if _is_installed(line)]
        packing = [*peers, *(_own(root, output, *each) for each in OWN)]
        hashing = [_shell(root, SUMS, os.devnull), Candidate("hash and manifest", lambda: _hash(root, output))]
        wanted = [
            each for each in (*packing, *hashing) if not options.only or any(part in each.name for part in options.only)
        ]
        for _ in range(options.rounds):
            for candidate in wanted:
                _measure(candidate, output)
        _print([each for each in packing if each in wanted], sum(sizes))
        for candidate in hashing:
            if candidate in wanted:
                print(f"{candidate.name:45}{sum(sizes) / 1e6 / candidate.median_s:8,.0f} MB/s")


def _print(candidates: list[Candidate], input_bytes: int) -> None:
    front = pareto_mask([(each.median_s, each.output_bytes) for each in candidates])
    print(f"{'':37}{'MB/s':>8}{'CPU s':>8}{'share':>9}   on the front")
    for candidate, on_it in sorted(zip(candidates, front, strict=True), key=lambda pair: pair[0].median_s):
        rate, cpu_s = input_bytes / 1e6 / candidate.median_s, quantile(candidate.cpu_s, 0.5)
        share = candidate.output_bytes / input_bytes
        print(f"{candidate.name:37}{rate:8,.0f}{cpu_s:8.2f}{share:9.4f}   {'*' if on_it else ''}".rstrip())
    print()


def _own(root: str, output: str, name: str, level: int) -> Candidate:
    packer = find_packer(name)
    run = partial(pack, root, output, f"{output}.json", packer=packer, level=level, threads=THREADS)
    return Candidate(f"{name}, level {level}", run)


def _is_installed(line: str) -> bool:
    missing = [word for word in ("pigz", "zstd", "bsdtar") if word in line and shutil.which(word) is None]
    if missing:
        print(f"{missing[0]}: not installed (Debian: pigz, zstd, libarchive-tools)")
    return not missing


def _shell(root: str, line: str, output: str) -> Candidate:
    def run() -> None:
        with open(output, "wb") as file:
            subprocess.run(line, shell=True, cwd=root, stdout=file, check=True)  # noqa: S602 - a pipe, written here

    return Candidate(line, run)


def _hash(root: str, output: str) -> None:
    write_manifest(f"{output}.json", hash_tree(root, threads=THREADS))


def _measure(candidate: Candidate, output: str) -> None:
    cpu_s, started = _cpu_s(), perf_counter()
    candidate.run()
    candidate.elapsed_s.append(perf_counter() - started)
    candidate.cpu_s.append(_cpu_s() - cpu_s)
    candidate.output_bytes = os.path.getsize(output)


def _cpu_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return process_time() + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
