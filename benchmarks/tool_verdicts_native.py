"""Print the guard's verdicts next to the comparisons of native tools, as rows of Markdown.

`python benchmarks/tool_verdicts_native.py PYTHON` reads the pairs in fixtures/import, which `fixtures/import/make.py`
measures: `same` does the same work in both files, and `sum` does two or three times the work in the newer file. PYTHON
is an interpreter with numpy and scipy for google-benchmark's `compare.py`, which is expected at COMPARE_PY; `benchstat`
is expected on the path. A missing tool is skipped. The rules of two tools are applied here to their results:

- criterion: "regressed" if the interval of the change lies above its noise threshold of 2 %.
- PHPBench: `mode(variant.time.avg) <= mode(baseline.time.avg) +/- 20%`.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

MADE = Path(__file__).resolve().parents[1] / "fixtures" / "import"
COMPARE_PY = Path("/usr/share/benchmark/compare.py")
GATE = "20%"
LIMIT = 0.2
ALPHA = 0.05
NOISE_THRESHOLD = 0.02


class Row(Struct, frozen=True):
    """One bench of a pair: the tool's verdict in its own words, and the guard's with the worsening that decided."""

    tool: str
    pair: str
    theirs: str
    ours: str


def run(*command: str) -> str:
    """Run a command outside of this repository and its configuration, and return its standard output."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            command, cwd=folder, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
    return done.stdout


def guard_verdicts(form: str, old: str | Path, new: str | Path) -> dict[str, str]:
    """Return the guard's verdicts on two sides, by bench."""
    command = [sys.executable, "-m", "aether_guard", "check", "--from", form, "--gate", GATE, "--format", "json"]
    report = json.loads(run(*command, "--baseline", str(old), "--current", str(new)))
    return {
        bench["bench_id"]: f"{bench['verdict']} ({bench.get('change_decisive') or 0.0:+.0%})"
        for bench in report["benches"]
    }


def described(bench: str) -> str:
    """Return a bench's short name, and whether it does more work in the newer file."""
    # The helper thread takes more CPU time, but the elapsed time is the same.
    is_same = "same" in bench.lower() or ("Helper" in bench and not bench.endswith("cpu_time"))
    short = bench.rpartition("more/pair.")[2].replace("/iterations:4/process_time", "")
    return f"{short}, {'unchanged' if is_same else 'more work'}"


def google_benchmark(python: str) -> Iterator[Row]:
    """Compare by `compare.py benchmarks old new`: a Mann-Whitney U test, and the change of the median."""
    old, new = (MADE / "google-benchmark" / f"{side}.json" for side in ("old", "new"))
    text = run(python, str(COMPARE_PY), "--no-color", "benchmarks", str(old), str(new)) if COMPARE_PY.is_file() else ""
    figures = {
        (name, kind): (float(time), float(cpu))
        for name, kind, time, cpu in re.findall(r"^(\S+)_(pvalue|median) +(\S+) +(\S+)", text, re.MULTILINE)
    }
    for bench, ours in guard_verdicts("google-benchmark", old, new).items():
        index, name = int(bench.endswith(" cpu_time")), bench.removesuffix(" cpu_time")
        if (name, "pvalue") in figures:
            p, change = figures[name, "pvalue"][index], figures[name, "median"][index]
            theirs = f"{'differs' if p < ALPHA else 'same'} (p={p:.4f}, median {change:+.0%})"
            yield Row("google-benchmark `compare.py`", described(bench), theirs, ours)


def benchstat(python: str) -> Iterator[Row]:
    """Compare by `benchstat old new`: a Mann-Whitney U test, and the change of the median."""
    del python
    old, new = (MADE / "go" / f"{side}.txt" for side in ("old", "new"))
    text = run("benchstat", "-format=csv", str(old), str(new)) if shutil.which("benchstat") else ""
    theirs: dict[str, str] = {}
    suffix = ""
    for line in text.splitlines():
        cells = line.split(",")
        if cells[0] == "" and len(cells) > 1 and "/" in cells[1]:
            suffix = " MB/s" if cells[1] == "B/s" else ""
        elif cells[0] not in {"", "geomean"} and len(cells) > 6:
            theirs[cells[0].removesuffix("-2") + suffix] = f"{cells[5]} ({cells[6]})"
    for bench, ours in guard_verdicts("go", old, new).items():
        if (name := bench.rpartition("more/pair.")[2]) in theirs:
            yield Row("benchstat", described(bench), theirs[name], ours)


def criterion(python: str) -> Iterator[Row]:
    """Apply criterion's rule to its comparison with the saved baseline, in `change/estimates.json`."""
    del python
    folder = MADE / "criterion"
    for bench, ours in guard_verdicts("criterion", folder / "**" / "main", folder).items():
        path = folder / bench / "change" / "estimates.json"
        if not path.is_file():
            continue
        mean = json.loads(path.read_text(encoding="utf-8"))["mean"]
        interval = mean["confidence_interval"]
        is_worse, is_better = interval["lower_bound"] > NOISE_THRESHOLD, interval["upper_bound"] < -NOISE_THRESHOLD
        verdict = "regressed" if is_worse else "improved" if is_better else "within noise threshold"
        yield Row("criterion", described(bench), f"{verdict} (mean {mean['point_estimate']:+.0%})", ours)


def phpbench(python: str) -> Iterator[Row]:
    """Apply PHPBench's assertion on the mode against a baseline."""
    del python
    old, new = (MADE / "phpbench" / f"{side}.xml" for side in ("old", "new"))
    modes = [
        {
            subject.attrib["name"]: float(stats.attrib["mode"])
            for subject in ET.parse(path).getroot().iter("subject")  # noqa: S314 - a file of this repository
            for stats in subject.iter("stats")
        }
        for path in (old, new)
    ]
    for bench, ours in guard_verdicts("phpbench", old, new).items():
        if (subject := bench.rpartition("::")[2]) in modes[0]:
            change = modes[1][subject] / modes[0][subject] - 1
            verdict = "fails" if change > LIMIT else "passes"
            yield Row("PHPBench assertion", described(subject), f"{verdict} (mode {change:+.0%})", ours)


def main() -> None:
    """Print a row of Markdown for every bench of every available tool."""
    for tool in (google_benchmark, benchstat, criterion, phpbench):
        for row in tool(sys.argv[1]):
            print(f"| {row.tool} | {row.pair} | {row.theirs} | {row.ours} |", flush=True)


if __name__ == "__main__":
    main()
