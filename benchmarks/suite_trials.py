"""Compare a suite with itself many times by `aether-guard ab`: `python benchmarks/suite_trials.py FOLDER --count 50`.

FOLDER is a repository with a suite in `[ab]` of its `aether.toml`, at a revision that does the same as its parent. Each
comparison is one process. A line of JSON per comparison goes to `--log`; the counts of verdicts are printed at the end.
A suite of unchanged code should never have a regression; with `--slower NAME` the parent is faster in this benchmark,
and each comparison should name it and no other.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from time import monotonic

from aether_schema import quantile


def compare(folder: str, options: list[str], seed: int) -> dict[str, object]:
    """Return the verdicts of one comparison, with its exit status and duration."""
    command = [sys.executable, "-m", "aether_guard", "ab", "--base", "HEAD~1", "--format", "json", "-q", *options]
    started = monotonic()
    done = subprocess.run([*command, "--seed", str(seed)], cwd=folder, capture_output=True, text=True, check=False)
    elapsed_s = monotonic() - started
    try:
        report = json.loads(done.stdout)
    except ValueError:
        return {"seed": seed, "status": done.returncode, "elapsed_s": elapsed_s, "problem": done.stderr.strip()}
    benches = report.get("benches", [report])
    return {
        "seed": seed,
        "status": done.returncode,
        "elapsed_s": elapsed_s,
        "verdicts": {bench["bench_id"]: bench["verdict"] for bench in benches},
        "pairs": max(bench["pairs"] for bench in benches),
    }


def main() -> int:
    """Run the comparisons and print the counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--slower", metavar="NAME")
    parser.add_argument("--log", default="target/suite-trials.jsonl")
    options, more = parser.parse_known_args()
    Path(options.log).parent.mkdir(parents=True, exist_ok=True)
    verdicts: Counter[str] = Counter()
    statuses: Counter[object] = Counter()
    durations: list[float] = []
    wrong = found = 0
    for number in range(options.count):
        result = compare(options.folder, more, options.seed + number)
        with Path(options.log).open("a", encoding="utf-8") as log:
            log.write(json.dumps(result) + "\n")
        each = result.get("verdicts") or {}
        assert isinstance(each, dict)
        verdicts.update(each.values())
        statuses[result["status"]] += 1
        durations.append(float(str(result["elapsed_s"])))
        red = {name for name, verdict in each.items() if verdict == "regression"}
        found += options.slower in red
        wrong += bool(red - {options.slower})
    print(
        f"{options.count} comparisons, seeds from {options.seed}: statuses {dict(statuses)}, verdicts {dict(verdicts)}"
    )
    print(
        f"{wrong} with a wrong regression, {found} that name {options.slower}; median {quantile(durations, 0.5):.0f} s"
    )
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
