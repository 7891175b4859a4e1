"""Compare two revisions by whole runs of any benchmark suite: one run per version is a block.

Both versions run the suite in turn, in random order. Every benchmark in its result files has a sequential test of its
own, and alpha is shared over all of them.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from time import monotonic
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from aether_compare.pair import SamplePair
from aether_compare.scheduler import Comparison, ComparisonSpec
from aether_compare.settings import random_order
from aether_compare.vcs.run import run_command
from aether_formats import ImportOptions
from aether_guard.check.imported_files import Reader
from aether_guard.errors import GuardError
from aether_guard.vcs.run import clean_environment, error_line
from aether_harness.worker.layout import draw_inherited_layout, start_with
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from aether_compare.scheduler import ComparisonObserver
    from aether_compare.side import VariantEnvironment
    from aether_compare.stats.sequential_test import TestSpec
    from aether_harness.worker.layout import Layout
    from aether_schema import Statistic, Summary

OUT, BENCH = "{out}", "{bench}"


class Suite(Struct, frozen=True, kw_only=True):
    """How a suite is run and read.

    `command` is split into words without a shell; `{out}` in it is the path of the result file. Without `{out}` the
    results are at `results`, a path in the tree. `each` is a command that runs only the benchmark `{bench}`; it serves
    benchmarks that stay undecided for long.
    """

    command: str
    format: str
    options: ImportOptions
    results: str | None = None
    each: str | None = None
    ignore_exit_code: bool = False


#: Suites that `--suite` knows: the command and the format of its results.
SUITES = {
    "go": (f"sh -c 'go test -run=NONE -bench=. ./... > {OUT}'", "go"),
    "pytest-benchmark": (f"python -m pytest --benchmark-only -q --benchmark-json {OUT}", "pytest-benchmark"),
    "vitest": (f"npx vitest bench --run --outputJson {OUT}", "vitest"),
}


class SuiteRunner:
    """Runs a suite in the environments of both versions."""

    def __init__(
        self, suite: Suite, sides: tuple[VariantEnvironment, VariantEnvironment], folder: str, draw: Random
    ) -> None:
        """Run `suite` for `sides`, with result files in `folder`.

        Raises:
            GuardError: there is no such format, or the command does not contain a place for results.

        """
        self._suite = suite
        self._sides = sides
        self._folder = folder
        self._draw = draw
        self._reader = Reader(suite.format, suite.options)
        if suite.results is not None and (os.path.isabs(suite.results) or os.path.normpath(suite.results)[:2] == ".."):
            raise GuardError(f"--results {printable(suite.results)}: must be a path in the tree")
        if suite.results is None and OUT not in suite.command:
            raise GuardError(f"--run: say where its results are: put {OUT} into the command, or name them by --results")

    @property
    def names(self) -> tuple[str, str]:
        """The names of the old and the new version."""
        return self._sides[0].name, self._sides[1].name

    @property
    def can_run_one(self) -> bool:
        """Whether there is a command that runs one benchmark alone."""
        return self._suite.each is not None

    def run_both(self, bench: str | None = None) -> tuple[tuple[dict[str, Summary], dict[str, Summary]], bool]:
        """Run the suite, or a single benchmark of it, for both versions.

        Returns the results of the old and the new version by bench, and whether the new version ran first.

        Raises:
            GuardError: a run fails or leaves no results; names the version.

        """
        order = random_order(self._draw)
        layout = draw_inherited_layout(self._draw)
        results: list[dict[str, Summary]] = [{}, {}]
        for place in order:
            results[place] = self._run(self._sides[place], layout, bench)
        return (results[0], results[1]), order[0] == 1

    def _run(self, side: VariantEnvironment, layout: Layout, bench: str | None) -> dict[str, Summary]:
        suite = self._suite
        out = os.path.join(self._folder, "results")
        path = out if suite.results is None else os.path.join(side.folder, suite.results)
        _remove(path)
        command = suite.command if bench is None or suite.each is None else suite.each
        words = [word.replace(OUT, out).replace(BENCH, bench or "") for word in split_suite(command)]
        with start_with(layout, words, clean_environment(side.env_overrides)) as env:
            done = run_command(words, folder=side.folder, changes=env)
        if done.returncode and not suite.ignore_exit_code:
            reason = _reason(done.stdout, done.stderr)
            raise GuardError(f"{side.name}: the suite ended with status {done.returncode}: {reason}")
        if not os.path.lexists(path):
            raise GuardError(f"{side.name}: the suite wrote no results to {printable(suite.results or OUT)}")
        loaded, problems = self._reader.load_all([path])
        for problem in problems:
            if problem.bench_id is None or problem.is_error:
                raise GuardError(f"{side.name}: {problem.message}")
        return {item.summary.bench_id: item.summary for item in loaded}


def _reason(stdout: bytes, stderr: bytes) -> str:
    """Return the line of a failed suite's output that names the error: the first exception, or the last line."""
    exceptions = re.search(rb"^(?:E\s+)?(\w+(?:\.\w+)*(?:Error|Exception)\b.*)$", stdout + b"\n" + stderr, re.MULTILINE)
    return error_line(exceptions[1] if exceptions else stderr.strip() or stdout)


def split_suite(command: str) -> list[str]:
    """Return the words of a suite's command.

    Raises:
        GuardError: it is empty, or its quotes do not match.

    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise GuardError(f"--run {printable(command)}: {str(error).lower()}") from None
    if not words:
        raise GuardError("--run: an empty command")
    return words


class SuiteComparison(Struct, frozen=True, kw_only=True):
    """The comparisons of a suite's benchmarks, and the benchmarks that only one version has."""

    comparisons: list[Comparison]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]


def compare_suites(
    runner: SuiteRunner,
    rule: TestSpec,
    budget_s: float,
    watcher: ComparisonObserver,
    clock: Callable[[], float] = monotonic,
) -> SuiteComparison:
    """Run both versions in turn until every benchmark is decided or `budget_s` per benchmark is over.

    `rule.alpha` is shared over the benchmarks of the first run. With a command for one benchmark, those that are
    undecided when at least half of them are decided are run alone.

    Raises:
        GuardError: a run fails, or the versions have no benchmark in common.

    """
    started = clock()
    sides = runner.names
    (old, new), new_first = runner.run_both()
    names = [name for name in new if name in old]
    if not names:
        raise GuardError(f"{sides[0]} and {sides[1]} have no benchmark in common: {_some(old)}; {_some(new)}")
    ends = started + budget_s * len(names)
    share = replace(rule, alpha=rule.alpha / len(names))
    comparisons = [Comparison(_question(old[name], new[name], sides, share)) for name in names]
    found = SuiteComparison(
        comparisons=comparisons,
        only_old=tuple(name for name in old if name not in new),
        only_new=tuple(name for name in new if name not in old),
    )
    block = 0
    try:
        undecided = comparisons
        while True:
            _add(undecided, old, new, block, new_first=new_first)
            spent_s = clock() - started
            for comparison in undecided:
                comparison.elapsed_s += spent_s / len(undecided)
                watcher.pairs_added(comparison, ends - clock())
                if comparison.decided:
                    watcher.decided(comparison)
            undecided = [comparison for comparison in undecided if not comparison.decided]
            if not undecided or clock() + spent_s > ends:
                return found
            block += 1
            started = clock()
            if runner.can_run_one and 2 * len(undecided) <= len(comparisons):
                old, new, new_first = _run_alone(runner, undecided)
            else:
                (old, new), new_first = runner.run_both()
    finally:
        watcher.ended()


def _run_alone(
    runner: SuiteRunner, undecided: Sequence[Comparison]
) -> tuple[dict[str, Summary], dict[str, Summary], bool]:
    """Run each undecided benchmark alone, all in one order."""
    old: dict[str, Summary] = {}
    new: dict[str, Summary] = {}
    new_first = False
    for comparison in undecided:
        (before, after), new_first = runner.run_both(comparison.question.bench_id)
        old |= before
        new |= after
    return old, new, new_first


def _question(old: Summary, new: Summary, sides: tuple[str, str], rule: TestSpec) -> ComparisonSpec:
    """Return the question about a benchmark.

    Raises:
        GuardError: the versions measure it in different units or directions.

    """
    if (old.metric, old.unit, old.lower_is_better) != (new.metric, new.unit, new.lower_is_better):
        raise GuardError(printable(f"{new.bench_id}: unit: {old.unit} in {sides[0]}, {new.unit} in {sides[1]}"))
    return ComparisonSpec(
        bench_id=new.bench_id,
        metric=new.metric,
        unit=new.unit,
        old_side=sides[0],
        new_side=sides[1],
        rule=replace(rule, lower_is_better=new.lower_is_better),
    )


def _add(
    comparisons: Sequence[Comparison],
    old: dict[str, Summary],
    new: dict[str, Summary],
    block: int,
    *,
    new_first: bool,
) -> None:
    for comparison in comparisons:
        name = comparison.question.bench_id
        try:
            figures = [_figure(results.get(name), name, side) for results, side in _by_side(comparison, old, new)]
            comparison.add([SamplePair(old=figures[0], new=figures[1], new_first=new_first, block=block)])
        except GuardError as error:
            comparison.problem = str(error)


def _by_side(
    comparison: Comparison, old: dict[str, Summary], new: dict[str, Summary]
) -> tuple[tuple[dict[str, Summary], str], tuple[dict[str, Summary], str]]:
    return (old, comparison.question.old_side), (new, comparison.question.new_side)


def _figure(summary: Summary | None, name: str, side: str) -> float:
    """Return the median of a benchmark's run, or its mean if the tool computes no median."""
    if summary is None:
        raise GuardError(printable(f"{name}: {side}: not in the results of a later run"))
    statistics: tuple[Statistic, ...] = ("p50", "mean")
    for statistic in statistics:
        if (value := summary.statistic(statistic)) is not None:
            return value
    raise GuardError(printable(f"{name}: {side}: has neither a median nor a mean"))


def _some(results: dict[str, Summary]) -> str:
    shown = ", ".join(list(results)[:3])
    return printable(f"{shown}, …" if len(results) > len(shown.split(", ")) else shown or "none")


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
