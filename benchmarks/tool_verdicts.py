"""Print the guard's verdicts next to each tool's own comparison, on pairs of results that the real tools write.

`python benchmarks/tool_verdicts.py WORK [TOOL…]` prints the rows of the table in docs/measurements/importing.md. WORK
is a folder with the tools as fixtures/import/make.py expects them (`WORK/python` has pytest-benchmark, pyperf and asv).
Each tool has one function here, which measures every pair in PAIRS and yields a Row per pair. Both sides of a pair do
the same pure work, multiplied by a known factor on the new side, so the right verdict is known. The guard's limit is
20 %, and so is the tool's if it has a threshold.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIMIT_S = 900
GATE = "20%"


class Pair(Struct, frozen=True):
    """The ratio of the new side's work to the old side's, and the log-normal sigma of single calls on both sides."""

    factor: float
    spread: float = 0.0


PAIRS = {
    "unchanged": Pair(1.0),
    "3 % slower": Pair(1.03),
    "30 % slower": Pair(1.3),
    "unchanged, noisy": Pair(1.0, spread=0.6),
}


class Row(Struct, frozen=True):
    """One pair: the tool's verdict in its own words, and the guard's with the worsening that decided."""

    tool: str
    pair: str
    theirs: str
    ours: str


#: The work that every Python tool measures: AETHER_FACTOR times the old side's work, with the noise AETHER_SPREAD.
WORK_PY = """
import os, random

FACTOR, SPREAD = float(os.environ["AETHER_FACTOR"]), float(os.environ["AETHER_SPREAD"])

def work():
    for _ in range(round(20_000 * FACTOR * random.lognormvariate(0, SPREAD))):
        pass
"""
BENCH_PY = "from work import work\n\ndef test_work(benchmark):\n    benchmark(work)\n"
PYPERF_PY = """
import pyperf
from work import work

runner = pyperf.Runner(processes=8, values=3, warmups=1, loops=8)
runner.parse_args()
runner.args.inherit_environ = ["AETHER_FACTOR", "AETHER_SPREAD"]
runner.bench_func("work", work)
"""
ASV_PY = "from work import work\n\ndef time_work():\n    work()\n"


def run(
    *command: str | Path, cwd: Path, env: dict[str, str] | None = None, merged: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a command to completion and return its result, with standard error in its output if `merged`."""
    return subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, **(env or {})},
        timeout=LIMIT_S,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merged else subprocess.DEVNULL,
        text=True,
    )


def sides(pair: Pair) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the name of each side and the environment variables of its run."""
    for name, factor in (("old", 1.0), ("new", pair.factor)):
        yield name, {"AETHER_FACTOR": str(factor), "AETHER_SPREAD": str(pair.spread)}


def guard_verdict(form: str, old: Path, new: Path) -> str:
    """Return the guard's verdicts on two files, with the worsening that decided."""
    command = [sys.executable, "-m", "aether_guard", "check", "--from", form, old, new, "--gate", GATE]
    done = run(*command, "--format", "json", cwd=old.parent, merged=False)
    benches = json.loads(done.stdout)["benches"]
    return "; ".join(f"{bench['verdict']} ({bench.get('change_decisive') or 0.0:+.1%})" for bench in benches)


def last_line(text: str, *words: str) -> str:
    """Return the last line that contains one of the words, or an empty string."""
    return next((line.strip() for line in reversed(text.splitlines()) if any(word in line for word in words)), "")


def fresh(work: Path, tool: str, pair: str) -> Path:
    """Return a new folder for a pair that holds only `work.py`. The results stay there."""
    folder = work / "verdicts" / tool / pair.replace(" ", "-").replace("%", "percent")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "work.py").write_text(WORK_PY)
    return folder


def pytest_benchmark(work: Path) -> Iterator[Row]:
    """Compare by `--benchmark-compare-fail=mean:20%` against the saved run."""
    for name, pair in PAIRS.items():
        folder = fresh(work, "pytest-benchmark", name)
        (folder / "test_work.py").write_text(BENCH_PY)
        command = [work / "python/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_work.py"]
        output = ""
        for side, env in sides(pair):
            compare = ["--benchmark-compare", f"--benchmark-compare-fail=mean:{GATE}"] if side == "new" else []
            save = [f"--benchmark-save={side}", "--benchmark-save-data"]
            output = run(*command, *save, *compare, cwd=folder, env=env, merged=True).stdout
        old, new = sorted(folder.glob(".benchmarks/*/*.json"))
        regressed = "fails" if "Performance has regressed" in output else "passes"
        yield Row("pytest-benchmark", name, regressed, guard_verdict("pytest-benchmark", old, new))


def pyperf(work: Path) -> Iterator[Row]:
    """Compare by `compare_to --min-speed=20`."""
    for name, pair in PAIRS.items():
        folder = fresh(work, "pyperf", name)
        (folder / "bench.py").write_text(PYPERF_PY)
        python = work / "python/bin/python"
        for side, env in sides(pair):
            inherit = "--inherit-environ=AETHER_FACTOR,AETHER_SPREAD"
            run(python, "bench.py", inherit, "-o", f"{side}.json", cwd=folder, env=env)
        files = folder / "old.json", folder / "new.json"
        said = run(python, "-m", "pyperf", "compare_to", *files, "--min-speed=20", cwd=folder, merged=True).stdout
        theirs = last_line(said, "slower", "faster", "significant", "same", "hidden") or said.strip()
        yield Row("pyperf", name, theirs, guard_verdict("pyperf", *files))


def asv(work: Path) -> Iterator[Row]:
    """Compare two commits by `asv compare --factor 1.2`, without recorded samples, the default of `asv run`."""
    python = work / "python/bin/python"
    path = {"PATH": f"{python.parent}:{os.environ['PATH']}"}
    for name, pair in PAIRS.items():
        folder = fresh(work, "asv", name)
        (folder / "benchmarks").mkdir()
        (folder / "benchmarks/__init__.py").touch()
        (folder / "benchmarks/bench.py").write_text(ASV_PY.replace("from work", "from .work"))
        (folder / "work.py").rename(folder / "benchmarks/work.py")
        settings = {"version": 1, "project": "work", "project_url": "none", "repo": ".", "branches": ["main"]}
        (folder / "asv.conf.json").write_text(json.dumps({**settings, "environment_type": "existing"}))
        commits = []
        for side, env in sides(pair):
            (folder / "side").write_text(side)
            author = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
            for command in (["init", "-qb", "main"], ["add", "-A"], [*author, "commit", "-qm", side]):
                run("git", *command, cwd=folder)
            commits.append(run("git", "rev-parse", "HEAD", cwd=folder).stdout.strip())
            env |= {**path, "HOME": str(folder)}
            run(python.parent / "asv", "machine", "--yes", "--machine", "somewhere", cwd=folder, env=env)
            where = [f"--python={python}", "--machine", "somewhere", f"--set-commit-hash={commits[-1]}"]
            run(python.parent / "asv", "run", *where, cwd=folder, env=env)
        command = [python.parent / "asv", "compare", *commits, "--factor", "1.2", "--machine", "somewhere"]
        said = run(*command, cwd=folder, env={**path, "HOME": str(folder)}, merged=True).stdout
        cells = [cell.strip() for cell in last_line(said, "time_work").strip("|").split("|")]
        theirs = {"+": "worse", "-": "better", "": "unchanged"}.get(cells[0], cells[0])
        files = [next(folder.glob(f"results/*/{commit[:8]}-*.json")) for commit in commits]
        yield Row("asv", name, f"{theirs} ({cells[3]})", guard_verdict("asv", *files))


TOOLS: tuple[Callable[[Path], Iterator[Row]], ...] = (pytest_benchmark, pyperf, asv)


def main() -> None:
    """Print a row of Markdown for every pair of the named tools, by default of all tools."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", metavar="WORK", type=Path, help="the folder with the tools")
    parser.add_argument("tools", metavar="TOOL", nargs="*", help=", ".join(tool.__name__ for tool in TOOLS))
    options = parser.parse_args()
    for tool in TOOLS:
        if not options.tools or tool.__name__ in options.tools:
            for row in tool(options.work.resolve()):
                print(f"| {row.tool} | {row.pair} | {row.theirs} | {row.ours} |", flush=True)


if __name__ == "__main__":
    main()
