"""Print the guard's verdicts next to the comparisons of JavaScript tools and load generators, as rows of Markdown.

`python benchmarks/tool_verdicts_js.py` reads the pairs in fixtures/import, which `fixtures/import/make.py` measures:
`same` runs the code of `old` again; in `slower` the bench `parse` does twice the work and `sort` is unchanged. These
tools compare inside a run (`vitest bench --compare`, an assertion, a workflow step), so this script applies each tool's
rule, taken from its source, to the same files:

- Vitest up to 4, `--compare`: prints the ratio of the rates, which are inverse means, and has no threshold.
- Vitest 5: `expect(current).not.toBeSlowerThan(bench.from("old"), { delta: 0.2 })` compares means.
- github-action-benchmark, `alert-threshold: 200%`: alerts if a value is more than twice the previous value.
- Locust: exits with 1 if a request failed; it does not compare.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MADE = Path(__file__).resolve().parents[1] / "fixtures" / "import"
GATE = "20%"
ALERT_RATIO = 2.0
DELTA = 0.2


def described(bench: str, pair: str) -> str:
    """Return a bench and its change between the files of a pair."""
    return f"{bench}, {'twice the work' if (bench, pair) == ('parse', 'slower') else 'unchanged'}"


class Row(Struct, frozen=True):
    """One bench of a pair: the tool's verdict in its own words, and the guard's with the worsening that decided."""

    tool: str
    pair: str
    theirs: str
    ours: str


def guard_verdicts(form: str, old: Path, new: Path) -> dict[str, str]:
    """Return the guard's verdicts on two files, by bench."""
    command = [sys.executable, "-m", "aether_guard", "check", "--from", form, old, new, "--gate", GATE]
    with tempfile.TemporaryDirectory() as empty:
        # There is no aether.toml in or above this folder, so the default rules apply.
        done = subprocess.run(
            [*map(str, command), "--format", "json"], cwd=empty, check=False, capture_output=True, text=True
        )
    return {
        bench["bench_id"]: f"{bench['verdict']} ({change:+.0%})"
        if (change := bench.get("change_decisive") or bench.get("change")) is not None
        else bench["verdict"]
        for bench in json.loads(done.stdout)["benches"]
    }


def pairs(form: str, prefix: str = "") -> Iterator[tuple[str, Any, Any, dict[str, str]]]:
    """Yield the name of each pair, its two files as JSON, and the guard's verdicts."""
    old = MADE / form / f"{prefix}old.json"
    for name in ("same", "slower"):
        new = MADE / form / f"{prefix}{name}.json"
        yield name, json.loads(old.read_text()), json.loads(new.read_text()), guard_verdicts(form, old, new)


def vitest_compare() -> Iterator[Row]:
    """Compare as `vitest bench --compare` of release 4 does."""
    for pair, old, new, ours in pairs("vitest"):
        (old_group,), (new_group,) = (report["files"][0]["groups"] for report in (old, new))
        for before, after in zip(old_group["benchmarks"], new_group["benchmarks"], strict=True):
            ratio = after["hz"] / before["hz"]
            theirs = f"[{ratio:.2f}x] {'⇑' if ratio > 1 else '⇓'}"
            name = after["name"]
            yield Row("Vitest 4 `--compare`", described(name, pair), theirs, ours[f"{new_group['fullName']} > {name}"])


def vitest_assertion() -> Iterator[Row]:
    """Compare as `not.toBeSlowerThan` of release 5 does, with a stored result."""
    for pair, old, new, ours in pairs("vitest", "five_"):
        before, after = (
            {
                f"{comparison['name']} > {task['name']}": task["latency"]["mean"]
                for test in report["testResults"][0]["assertionResults"]
                for comparison in test["benchmarks"]
                for task in comparison["tasks"]
            }
            for report in (old, new)
        )
        for name, mean in after.items():
            theirs = "fails" if mean > before[name] * (1 + DELTA) else "passes"
            theirs = f"{theirs} ({mean / before[name] - 1:+.0%} of the mean)"
            bench = described(name.rpartition(" ")[2], pair)
            yield Row("Vitest 5 assertion", bench, theirs, ours[f"five.bench.mjs > {name}"])


def alert_rule(form: str, figures: Callable[[Any], dict[str, float]]) -> Iterator[Row]:
    """Compare a tool's medians as `github-action-benchmark` with `customSmallerIsBetter` does."""
    for pair, old, new, ours in pairs(form):
        before, after = figures(old), figures(new)
        for name, value in after.items():
            ratio = value / before[name]
            theirs = f"{'alert' if ratio > ALERT_RATIO else 'no alert'} ({ratio:.2f})"
            bench = next(bench for bench in ours if bench.endswith(name))
            yield Row(f"github-action-benchmark, {form}", described(name, pair), theirs, ours[bench])


def tinybench_figures(report: Any) -> dict[str, float]:  # noqa: ANN401 - parsed JSON
    """Return the median of each task."""
    return {task["name"]: task["result"]["latency"]["p50"] for task in report}


def mitata_figures(report: Any) -> dict[str, float]:  # noqa: ANN401 - parsed JSON
    """Return the median of each run."""
    return {run["name"]: run["stats"]["p50"] for bench in report["benchmarks"] for run in bench["runs"]}


def locust() -> Iterator[Row]:
    """Compare by Locust's exit status: a server with twice the delay, and a server that sometimes answers 404."""
    old = MADE / "locust" / "old_stats.csv"
    for name, file in (("slower server", "slower_stats.csv"), ("failed requests", "load_stats.csv")):
        rows = list(csv.DictReader((MADE / "locust" / file).read_text().splitlines()))
        theirs = "exit 1" if int(rows[-1]["Failure Count"]) else "exit 0"
        ours = guard_verdicts("locust", old, MADE / "locust" / file)
        yield Row("Locust", f"all requests, {name}", theirs, ours["Aggregated"])


def main() -> int:
    """Print the rows of all tools."""
    sources = (
        vitest_compare(),
        vitest_assertion(),
        alert_rule("tinybench", tinybench_figures),
        alert_rule("mitata", mitata_figures),
        locust(),
    )
    for rows in sources:
        for row in rows:
            print(f"| {row.tool} | {row.pair} | {row.theirs} | {row.ours} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
