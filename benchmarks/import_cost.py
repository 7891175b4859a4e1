"""Times whole imports: a 100 MB pytest-benchmark file with its peak memory, a small file, and a check for comparison.

`hatch run guard:import-cost [BENCHES]`: in how many benches the samples of the large file are, 100 if not given.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from aether_schema import quantile

SIZE_BYTES = 100 * 10**6
RUNS = 15
LARGE_RUNS = 3
SEED = 20260101


def write_large(path: Path, benches: int) -> int:
    """Write a file of the size as the tool does, a number a line, and return how many samples are in it."""
    draw = random.Random(SEED)  # noqa: S311 - data, not secrets
    written = kept = 0
    with path.open("w", encoding="ascii") as file:
        written += file.write('{\n    "machine_info": {},\n    "benchmarks": [\n')
        for number in range(benches):
            values: list[str] = []
            size = 0
            while written + size < SIZE_BYTES * (number + 1) / benches:
                values.append(f"                    {draw.lognormvariate(-12, 0.2)!r}")
                size += len(values[-1]) + 2
            head = {"fullname": f"bench.py::test_{number}", "name": f"test_{number}", "params": None}
            stats = f'"stats": {{"median": 6e-06, "rounds": {len(values)}, "iterations": 1, "data": [\n'
            written += file.write(f"        {json.dumps(head)[:-1]}, {stats}")
            written += file.write(",\n".join(values) + "\n                ]}}")
            written += file.write("\n" if number == benches - 1 else ",\n")
            kept += len(values)
        file.write("    ]\n}\n")
    return kept


def timed_ms(command: list[str]) -> tuple[float, float]:
    """Return how long one run of the command takes and how much of a CPU, in milliseconds."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    elapsed_s, after = perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return elapsed_s * 1e3, cpu_s * 1e3


def medians(runs: list[tuple[float, float]]) -> str:
    """Return the medians of the results of `timed_ms`, to print."""
    elapsed, cpu = ([run[index] for run in runs] for index in (0, 1))
    return f"median {quantile(elapsed, 0.5):,.0f} ms, {quantile(cpu, 0.5):,.0f} ms of a CPU, n {len(runs)}"


def main() -> None:
    """Measure the small commands in turn, then the large file, and print."""
    benches = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    guard = os.path.join(os.path.dirname(sys.executable), "aether-guard")
    small = Path(__file__).parents[1] / "fixtures" / "import" / "hyperfine" / "two.json"
    with tempfile.TemporaryDirectory() as place:
        out, large = os.path.join(place, "out"), Path(place, "large.json")
        subprocess.run([guard, "import", "hyperfine", str(small), "--out", out], check=True, stdout=subprocess.DEVNULL)
        pair = [os.path.join(out, "bench-true.json")] * 2
        commands = {
            "check, one pair": [guard, "check", *pair],
            "import, a small file": [guard, "import", "hyperfine", str(small), "--out", out],
            "import auto, a small file": [guard, "import", "auto", str(small), "--out", out],
            "check --from hyperfine": [guard, "check", "--from", "hyperfine", str(small), str(small)],
            "check --from auto": [guard, "check", "--from", "auto", str(small), str(small)],
        }
        elapsed: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(RUNS):
            for name, command in commands.items():
                elapsed[name].append(timed_ms(command))
        for name, values in elapsed.items():
            print(f"{name}: {medians(values)}")
        samples = write_large(large, benches)
        for form in ("pytest-benchmark", "auto"):
            command = [guard, "import", form, str(large), "--out", os.path.join(place, "large")]
            times = [timed_ms(command) for _ in range(LARGE_RUNS)]
            peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6
            size_mb = large.stat().st_size / 1e6
            print(
                f"import {form}, {size_mb:.0f} MB, {benches} benches, {samples:,} samples: "
                f"{medians(times)}, peak {peak_mb:,.0f} MB"
            )


if __name__ == "__main__":
    main()
