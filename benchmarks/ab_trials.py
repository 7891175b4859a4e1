"""How often `aether-guard ab` is right, and after how long, on this machine: `hatch run guard:trials`.

Compares benches of many kinds with themselves, one side made slower by a known share, again and again, and counts the
verdicts. `benchmarks/hogs.py` before it makes the machine a busy one. With `--environments` the sides are two checkouts
of one revision, each with an environment of its own. A long series may be broken off at any time and goes on from its
file:

    hatch run guard:trials --runs 40 --out aa.jsonl
    hatch run guard:trials --runs 40 --environments --label environments --out aa.jsonl
    hatch run guard:python benchmarks/hogs.py python benchmarks/ab_trials.py --runs 40 --label hogs --out aa.jsonl
    hatch run guard:trials --runs 0 --out aa.jsonl
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from itertools import groupby
from operator import attrgetter
from random import Random
from statistics import fmean, pstdev
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from aether_compare.checkout.revisions import checked_out_revisions
from aether_compare.progress import NullProgress
from aether_compare.runner import measurement_settings, pair_sampler
from aether_compare.scheduler import Comparison, run_comparisons
from aether_compare.stats.sequential_test import TestSpec
from aether_compare.variants import command_pairs, comparison_spec, revision_pairs, setting_pairs
from aether_harness.benchmark.command_bench import CommandParams
from aether_harness.discovery.description import BenchSelection
from aether_harness.discovery.isolated import benches_of
from aether_harness.machine.signals import ended_on_request
from aether_schema import quantile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aether_compare.settings import VariantPair

FOLDER = os.path.dirname(os.path.abspath(__file__))
#: A command of about 50 ms in which the share is more work, not a longer sleep.
SPIN = "import time; ends = time.perf_counter() + {seconds}\nwhile time.perf_counter() < ends: pass"

#: The project's own benches: a file that makes one slower, and its name there.
SLOWED = {
    "packaging": ("slowed_pack.py", "slowed-pack"),
    "streaming": ("slowed_stream.py", "slowed-stream"),
}


class Done(Struct, frozen=True, kw_only=True):
    """One comparison and its result. Ratios are logarithms.

    `at_zero` is the verdict of the same pairs at a gate of 0. `block_spread` is the standard deviation of the blocks'
    means.
    """

    bench: str
    label: str
    share: float
    gate: float
    seed: int
    number: int
    verdict: str
    at_zero: str
    interval: tuple[float, float] | None
    pairs: int
    blocks: int
    elapsed_s: float
    median: float
    block_spread: float

    @property
    def is_wrong(self) -> bool:
        """Whether the verdict is one that the share contradicts."""
        return self.verdict in _wrong(self.share, self.gate)

    @property
    def is_wrong_at_zero(self) -> bool:
        """Whether the same holds at a gate of 0."""
        return self.at_zero in _wrong(self.share, 0.0)

    @property
    def misses(self) -> bool:
        """Whether the interval does not hold the share."""
        return self.interval is not None and not self.interval[0] <= self.share <= self.interval[1]


def _wrong(share: float, gate: float) -> set[str]:
    wrong = set()
    if share <= gate:
        wrong.add("regression")
    if share > gate:
        wrong.add("pass")
    if share >= -gate:
        wrong.add("improvement")
    return wrong


def main() -> None:
    """Compare as often as was asked, keep a line for each comparison, and print a table of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "benches", nargs="*", help="of kinds.py, or packaging, streaming, command; all but the last two"
    )
    parser.add_argument("--share", type=float, default=0.0, help="the slowdown, such as 0.05")
    parser.add_argument("--gate", type=float, default=0.01)
    parser.add_argument("--alpha", type=float, default=0.001)
    parser.add_argument("--max-time", type=float, default=60.0, help="seconds a comparison")
    parser.add_argument("--runs", type=int, default=5, help="comparisons of each bench")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", help="JSON lines, one for each comparison; appended to, and continued")
    parser.add_argument("--label", default="", help="the name of this series, such as hogs")
    parser.add_argument("--environments", action="store_true", help="two checkouts, each with its environment")
    options = parser.parse_args()
    done = _kept(options.out) if options.out else []
    if options.runs:
        with ended_on_request(), suppress(KeyboardInterrupt), ExitStack() as stack:
            matches = stack.enter_context(_environments(options) if options.environments else _settings(options))
            started = 1 + max((item.number for item in done if item.label == options.label), default=-1)
            for number in range(started, started + options.runs):
                for match in matches:
                    item = _compare(match, options, number)
                    if item is None:
                        continue
                    done.append(item)
                    if options.out:
                        with open(options.out, "ab") as file:
                            file.write(msgspec.json.encode(item) + b"\n")
    print(told(done))


@contextmanager
def _settings(options: argparse.Namespace) -> Iterator[list[VariantPair]]:
    """Yield the benches against themselves, the new side slower by the share."""
    matches = []
    for name in options.benches or [*_kinds(), "packaging"]:
        if name == "command":
            both = [
                CommandParams(command=f"{sys.executable} -S -c '{SPIN.format(seconds=seconds)}'")
                for seconds in (0.04, 0.04 + 0.05 * options.share)
            ]
            matches += command_pairs(both[0], both[1])
        else:
            file, bench = SLOWED.get(name, ("kinds.py", name))
            wanted = BenchSelection(names=(f"{os.path.join(FOLDER, file)}::{bench}",))
            matches += setting_pairs(wanted, [f"{bench}.share=0.0"], [f"{bench}.share={options.share}"])
    yield matches


def _kinds() -> list[str]:
    return [bench.name for bench in benches_of(BenchSelection(names=(os.path.join(FOLDER, "kinds.py"),)), 60.0)]


@contextmanager
def _environments(options: argparse.Namespace) -> Iterator[list[VariantPair]]:
    """Yield the benches of two checkouts of one revision."""
    if options.share:
        raise SystemExit("--environments compares a revision with itself: no --share")
    with tempfile.TemporaryDirectory() as folder:
        project = os.path.join(folder, "project")
        os.mkdir(project)
        shutil.copy(os.path.join(FOLDER, "kinds.py"), project)
        for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "benches"]):
            subprocess.run(
                ["git", "-c", "user.name=trials", "-c", "user.email=trials@localhost", *words],  # noqa: S607
                cwd=project,
                check=True,
            )
        packages = os.path.join(os.path.dirname(FOLDER), "packages")
        members = " ".join(f"-e {packages}/{name}" for name in ("schema", "harness"))
        setup = [f"uv pip install --python {{python}} {members}"]

        def say(line: str) -> None:
            print(line, file=sys.stderr)

        cache = os.path.join(folder, "cache")
        with checked_out_revisions(project, "HEAD", "HEAD", setup, say, cache=cache) as sides:
            names = [f"kinds.py::{name}" for name in options.benches] or ["kinds.py"]
            yield revision_pairs(sides, BenchSelection(names=tuple(names)))


def _compare(match: VariantPair, options: argparse.Namespace, number: int) -> Done | None:
    """Return the result of one comparison."""
    terms = measurement_settings((), 60.0)
    rule = TestSpec(gate=options.gate, alpha=options.alpha)
    comparison = Comparison(comparison_spec(match, rule))
    draw = Random(f"{options.seed}/{match.bench_id}/{number}")  # noqa: S311 - orders, not secrets
    with pair_sampler(comparison, match, terms, draw) as sampler:
        run_comparisons([(comparison, sampler)], options.max_time, NullProgress())
    if comparison.problem:
        print(comparison.problem, file=sys.stderr)
    if not comparison.pairs:
        return None
    blocks = [
        [comparison.costs_of(drawn) for drawn in block]
        for _, block in groupby(comparison.pairs, key=attrgetter("block"))
    ]
    at_zero = Comparison(replace(comparison.question, rule=replace(rule, gate=0.0)))
    for _, block in groupby(comparison.pairs, key=attrgetter("block")):
        at_zero.add(list(block))
    ratios = [[pair.log_ratio for pair in block] for block in blocks]
    return Done(
        bench=match.bench_id,
        label=options.label,
        share=options.share,
        gate=options.gate,
        seed=options.seed,
        number=number,
        verdict=comparison.trial.final_verdict if comparison.problem is None else "error",
        at_zero=at_zero.trial.final_verdict,
        interval=comparison.trial.interval(),
        pairs=len(comparison.pairs),
        blocks=len(blocks),
        elapsed_s=comparison.elapsed_s,
        median=comparison.trial.change or 0.0,
        block_spread=pstdev([fmean(block) for block in ratios]) if len(ratios) > 1 else math.nan,
    )


def _kept(path: str) -> list[Done]:
    """Return the comparisons in a file; the end of a line that was broken off is removed."""
    if not os.path.exists(path):
        return []
    with open(path, "rb+") as file:
        text = file.read()
        whole = text.rfind(b"\n") + 1
        file.truncate(whole)
    return msgspec.json.Decoder(Done).decode_lines(text[:whole])


def told(done: Sequence[Done]) -> str:
    """Return a table with a row for each bench and series: its verdicts, and medians of its times."""
    rows = [
        "| series | bench | runs | verdicts | wrong | wrong at 0 | interval misses | s, median | 95 % | blocks | sd |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]

    def row(name: tuple[str, str], items: Sequence[Done]) -> str:
        times = [item.elapsed_s for item in items]
        verdicts = ", ".join(f"{count} {verdict}" for verdict, count in Counter(item.verdict for item in items).items())
        return (
            f"| {name[0]} | {name[1]} | {len(items)} | {verdicts} | {sum(item.is_wrong for item in items)} "
            f"| {sum(item.is_wrong_at_zero for item in items)} | {sum(item.misses for item in items)} "
            f"| {quantile(times, 0.5):.2f} | {quantile(times, 0.95):.2f} "
            f"| {quantile([float(item.blocks) for item in items], 0.5):.0f} "
            f"| {quantile([item.block_spread for item in items], 0.5):.2%} |"
        )

    for key in dict.fromkeys((item.label, item.share, item.gate) for item in done):
        series = [item for item in done if (item.label, item.share, item.gate) == key]
        name = f"{key[0] or 'settings'} {key[1]:+.1%}, gate {key[2]:.1%}"
        rows += [
            row((name, bench), [item for item in series if item.bench == bench])
            for bench in dict.fromkeys(item.bench for item in series)
        ]
        rows.append(row((name, "all"), series))
    return "\n".join(rows)


if __name__ == "__main__":
    main()
