"""Time whole `aether-guard check` processes, next to a bare Python and a usual shell gate: `hatch run guard:cost`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from aether_schema import quantile

RUNS = 15
PAIRS = 10_000
SUMMARY = {
    "metric": "duration_ms",
    "unit": "ms",
    "p50": 1.0,
    "p95": 2.0,
    "n": 60,
    "timestamp": "2026-01-01T00:00:00Z",
}
# A usual gate in shell: a grep and an awk for each figure of a pair.
SHELL_GATE = r"""
for key in p50 p95; do
  b=$(grep -o "\"$key\": *[0-9.]*" "$1" | head -n 1 | grep -o '[0-9.]*$')
  c=$(grep -o "\"$key\": *[0-9.]*" "$2" | head -n 1 | grep -o '[0-9.]*$')
  awk -v b="$b" -v c="$c" 'BEGIN { exit !(c <= b * 1.2) }' || exit 1
done
"""


def wall_ms(command: list[str]) -> float:
    """Return how long one run of the command takes, in milliseconds."""
    started = perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (perf_counter() - started) * 1e3


def main() -> None:
    """Measure in turn, so that the machine's mood falls on all alike, and print."""
    guard = os.path.join(os.path.dirname(sys.executable), "aether-guard")
    with tempfile.TemporaryDirectory() as place:
        sides = [Path(place, side) for side in ("baseline", "current")]
        write_summaries(sides, 1)
        pair = [str(side / "0.json") for side in sides]
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "shell gate, one pair": ["bash", "-c", SHELL_GATE, "gate", *pair],
            "check, one pair": [guard, "check", *pair],
        }
        elapsed: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(RUNS):
            for name, command in commands.items():
                elapsed[name].append(wall_ms(command))
        for name, values in elapsed.items():
            print(f"{name}: median {quantile(values, 0.5):.1f} ms, n {RUNS}")
        # Run last: the disk stays busy for a while after so many files.
        write_summaries(sides, PAIRS)
        many = [wall_ms([guard, "check", "--baseline", str(sides[0]), "--current", str(sides[1])]) for _ in range(5)]
        print(f"check, {PAIRS:,} pairs: median {quantile(many, 0.5):,.0f} ms, n 5")


def write_summaries(sides: list[Path], count: int) -> None:
    """Write `count` summaries of figures alone on each side."""
    for side in sides:
        side.mkdir(exist_ok=True)
        for number in range(count):
            (side / f"{number}.json").write_text(json.dumps({"bench_id": f"bench-{number}", **SUMMARY}))


if __name__ == "__main__":
    main()
