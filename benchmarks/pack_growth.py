"""How packing grows: the cost of a file in trees of 1,000 to 100,000, and the memory that many GB take.

`hatch run bench:pack-growth`. Every figure comes from its own process, and the sizes take turns. Next to them are `tar`
and `cat` reading the same files, which is the system's part of the time.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from time import perf_counter

from aether_harness.machine.counters import peak_memory_bytes
from aether_pack_bench.archive.verify import verify_artifact
from aether_pack_bench.codecs.packer import find_packer
from aether_pack_bench.packing import pack
from aether_pack_bench.trees.writer import write_seeded_tree
from aether_schema import quantile

COUNTS = (1_000, 3_000, 10_000, 30_000, 100_000)
#: The number of files that each process packs: small trees several times.
FILES_A_TURN = 20_000
PEERS = {"tar": "tar -cf - . | cat", "cat": "find . -type f -print0 | xargs -0 cat"}
#: At 20 GB each file exceeds the 8 GiB from which a tar writes a size in another way.
LARGE_FILES = 2
#: One fifth of every large file is noise, and the rest a hole.
FILLED = 5
NOISE_BYTES = 64 * 2**20
SPARSE_BYTES = 9 * 2**30


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=float, default=20.0, help="GB of two large files; a fifth of it takes room")
    parser.add_argument("--verify", action="store_true", help="verify a sparse file of over 8 GiB from end to end")
    parser.add_argument("--packer", default="isal")
    parser.add_argument("--threads", nargs="*", default=["1", "2"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--counts", type=int, nargs="*", default=COUNTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.counts:
            _grow(folder, options.counts, options.packer, options.threads, options.rounds)
        if options.size:
            root = os.path.join(folder, "large")
            _write_large(root, int(options.size * 1e9))
            elapsed_s, peak = _elsewhere(root, "zstd", "2", times=1)
            rate = options.size * 1e3 / elapsed_s
            print(f"{LARGE_FILES} files, {options.size:g} GB: {rate:,.0f} MB/s, peak memory {peak / 1e6:,.0f} MB")
        if options.verify:
            print(f"a file of {SPARSE_BYTES / 2**30:g} GiB, packed, unpacked and compared: {_verified(folder):,.0f} s")


def _grow(folder: str, counts: list[int], packer: str, threads: list[str], rounds: int) -> None:
    roots = {count: os.path.join(folder, str(count)) for count in counts}
    for count, root in roots.items():
        write_seeded_tree(root, files=count, size=1024, seed=1)
    os.sync()  # so that writing back is not part of the measurement
    names = [*(f"{packer}, {each} threads" for each in threads), *PEERS]
    taken_us: dict[str, dict[int, list[float]]] = {name: {count: [] for count in counts} for name in names}
    peaks: dict[int, float] = {}
    for _ in range(rounds):
        for count, root in roots.items():
            times = max(1, FILES_A_TURN // count)
            for name, each in zip(names, threads, strict=False):
                elapsed_s, peaks[count] = _elsewhere(root, packer, each, times=times)
                taken_us[name][count].append(elapsed_s / count * 1e6)
            for name, line in PEERS.items():
                taken_us[name][count] += [_peer(root, line) / count * 1e6 for _ in range(times)]
    print(f"us a file of 1 KiB, medians of {rounds} rounds")
    print(f"{'files':>9}{''.join(f'{name:>18}' for name in names)}  peak")
    for count in counts:
        figures = "".join(f"{quantile(taken_us[name][count], 0.5):18.1f}" for name in names)
        print(f"{count:9,}{figures}  {peaks[count] / 1e6:,.0f} MB")
    medians = {name: [quantile(values, 0.5) for values in taken_us[name].values()] for name in names}
    apart = "".join(f"{f'{max(each) / min(each) - 1:.0%}':>18}" for each in medians.values())
    print(f"{'apart':>9}{apart}\n", flush=True)


def _peer(root: str, line: str) -> float:
    started = perf_counter()
    subprocess.run(line, shell=True, cwd=root, stdout=subprocess.DEVNULL, check=True)  # noqa: S602 - written here
    return perf_counter() - started


def _write_large(root: str, size: int) -> None:
    noise = random.Random(1).randbytes(NOISE_BYTES)  # noqa: S311 - bytes to pack
    os.mkdir(root)
    for number in range(LARGE_FILES):
        with open(os.path.join(root, f"large-{number}.bin"), "wb") as file:
            file.writelines(noise for _ in range(size // LARGE_FILES // FILLED // NOISE_BYTES))
            file.truncate(size // LARGE_FILES)


def _verified(folder: str) -> float:
    root = os.path.join(folder, "sparse")
    os.mkdir(root)
    with open(os.path.join(root, "sparse.bin"), "wb") as file:
        file.write(b"head")
        file.seek(SPARSE_BYTES - 4)
        file.write(b"tail")
    started = perf_counter()
    packer, artifact = find_packer("zstd"), os.path.join(folder, "artifact")
    packed = pack(root, artifact, os.path.join(folder, "manifest.json"), packer=packer, level=1, threads=2)
    verify_artifact(artifact, packed.manifest, root, os.path.join(folder, "unpacked"), read=packer.read)
    return perf_counter() - started


def _elsewhere(root: str, name: str, threads: str, *, times: int) -> tuple[float, float]:
    """Return the median time of packing a tree repeatedly in another process, and its peak memory in bytes."""
    command = [sys.executable, __file__, "--one", root, name, threads, str(times)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return float(said[0]), float(said[1])


def _one(root: str, name: str, threads: str, times: str) -> None:
    """Pack a tree and print its costs."""
    elapsed_s = []
    folder = tempfile.mkdtemp()
    try:
        for _ in range(int(times)):
            started = perf_counter()
            artifact, manifest = os.path.join(folder, "artifact"), os.path.join(folder, "manifest.json")
            pack(root, artifact, manifest, packer=find_packer(name), level=1, threads=int(threads))
            elapsed_s.append(perf_counter() - started)
    finally:
        shutil.rmtree(folder)
    print(quantile(elapsed_s, 0.5), peak_memory_bytes() or 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        _one(*sys.argv[2:])
    else:
        main()
