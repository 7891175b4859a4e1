"""Pair each baseline with its current summary, and judge the pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from aether_guard.check.files import LoadedSummary, LoadError, is_single_file, load, load_all
from aether_guard.check.series import LoadedPair, judge_new, judge_pairs, pairs_of_series, zero_on_both_sides
from aether_guard.check.verdict import Judgement
from aether_schema import printable, series_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date

    from aether_guard.check.policy import PolicySet

    Importing = Callable[[Iterable[str]], tuple[list[LoadedSummary], list[LoadError]]]


class InputPaths(Struct, frozen=True, kw_only=True):
    """The paths to compare: pairs of files as given, and two sides to be paired by bench.

    `promotion` is the command that makes the current figures the baseline. It is suggested if there is no baseline.
    """

    pairs: tuple[tuple[str, str], ...] = ()
    baseline: tuple[str, ...] = ()
    current: tuple[str, ...] = ()
    promotion: str = ""


def split_sides(paths: Sequence[str], baseline: Sequence[str], current: Sequence[str]) -> InputPaths:
    """Separate the pairs of files in `paths`, which alternates baseline and current, from paths to be paired by bench.

    Two files are a pair regardless of their content. The files of a folder or a glob are paired by bench.
    """
    given = list(zip(paths[::2], paths[1::2], strict=True))
    pairs = [pair for pair in given if is_single_file(pair[0]) and is_single_file(pair[1])]
    others = [pair for pair in given if pair not in pairs]
    return InputPaths(
        pairs=tuple(pairs),
        baseline=(*(pair[0] for pair in others), *baseline),
        current=(*(pair[1] for pair in others), *current),
    )


def judge_sides(
    sides: InputPaths, book: PolicySet, today: date, import_all: Importing | None = None
) -> list[Judgement]:
    """Load both sides, pair them, and return one judgement per bench, which is an error if it cannot be judged.

    `import_all` reads the files of other tools, which hold many benches per file and are paired by name.
    """
    judgements: list[Judgement] = []
    matched: list[LoadedPair] = []
    present: set[str | None] = set()
    for baseline_path, current_path in sides.pairs:
        baseline, current = load(baseline_path), load(current_path)
        if isinstance(baseline, LoadedSummary) and isinstance(current, LoadedSummary):
            matched.append(LoadedPair(baseline, current))
        if isinstance(current, LoadedSummary):
            present.add(current.summary.bench_id)
        judgements += [_error(item) for item in (baseline, current) if isinstance(item, LoadError)]
    is_complete = not any(map(_is_unreadable, judgements))
    if sides.baseline or sides.current:
        by_bench, others = _match_by_bench(sides, import_all or load_all, book)
        if import_all is not None:
            # Tools report many counts that are usually 0, such as Go's allocations.
            nothing = [pair for pair in by_bench if _is_nothing(pair)]
            by_bench = [pair for pair in by_bench if pair not in nothing]
            others += [zero_on_both_sides(pair) for pair in nothing]
        matched += by_bench
        judgements += others
        is_complete = is_complete and not any(map(_is_unreadable, others))
    series: list[LoadedPair] = []
    for pair in matched:
        pairs, unpaired = pairs_of_series(pair, book)
        series += pairs
        judgements += unpaired
    present |= {pair.current.summary.bench_id for pair in matched} | {judgement.bench_id for judgement in judgements}
    if is_complete:
        judgements += [
            _missing_expected(bench_id) for bench_id in dict.fromkeys(book.expected) if bench_id not in present
        ]
    return judgements + judge_pairs(series, book, today)


def _match_by_bench(
    sides: InputPaths, read_all: Importing, book: PolicySet
) -> tuple[list[LoadedPair], list[Judgement]]:
    """Return the pairs by bench, and a judgement for every bench and file without a counterpart.

    A current file that cannot be read may hold any bench, so no bench is reported as missing in that case.
    """
    baselines, problems = read_all(sides.baseline)
    currents, current_problems = read_all(sides.current)
    by_id, doubled = _by_id(baselines)
    current_by_id, current_doubled = _by_id(currents)
    matched = [LoadedPair(by_id[bench_id], current_by_id[bench_id]) for bench_id in by_id if bench_id in current_by_id]
    left = [baseline for bench_id, baseline in by_id.items() if bench_id not in current_by_id]
    added = [current for bench_id, current in current_by_id.items() if bench_id not in by_id]
    others = [*doubled, *current_doubled]
    if currents and not baselines:
        problems = [_suggesting(problem, sides) if problem.is_missing else problem for problem in problems]
    # A bench without a baseline figure is new if it has a current figure, and is listed once if it has neither.
    known = {item.summary.bench_id for item in added} | {problem.bench_id for problem in current_problems}
    problems = [problem for problem in problems if problem.is_error or problem.bench_id not in known]
    others += _without_figures(problems, set())
    others += _without_figures(current_problems, {item.summary.bench_id for item in left})
    listed = {judgement.bench_id for judgement in others}
    if all(problem.bench_id is not None for problem in current_problems):
        others += [_missing_current(item) for item in left if item.summary.bench_id not in listed]
    others += [
        judge_new(replace(item, summary=series.summary), series, book)
        for item in added
        if item.summary.bench_id not in listed
        for series in series_of(item.summary)
    ]
    return matched, others


def _without_figures(problems: Iterable[LoadError], other_side: set[str]) -> list[Judgement]:
    """Return a judgement for every problem of one side: an error, or a bench that is listed but not judged.

    A bench without a figure is an error if the other side has one: it would vanish from the comparison.
    """
    return [
        _error(problem) if problem.is_error or problem.bench_id in other_side else _unjudged(problem)
        for problem in {problem.bench_id or problem.message: problem for problem in problems}.values()
    ]


def _suggesting(problem: LoadError, sides: InputPaths) -> LoadError:
    """Add the command that makes a baseline to the problem of a missing baseline."""
    if not sides.promotion:
        return problem
    return replace(problem, message=f"{problem.message}; no baseline yet? {printable(sides.promotion)}")


def _is_unreadable(judgement: Judgement) -> bool:
    return judgement.verdict == "error" and judgement.bench_id is None


def _by_id(side: Sequence[LoadedSummary]) -> tuple[dict[str, LoadedSummary], list[Judgement]]:
    """Return the summaries by bench, and an error for every further summary of the same bench."""
    by_id: dict[str, LoadedSummary] = {}
    doubled = []
    for item in side:
        first = by_id.setdefault(item.summary.bench_id, item)
        if first is not item:
            reason = f"{item.path}: bench_id: {item.summary.bench_id} is in {first.path} already"
            doubled.append(Judgement(bench_id=item.summary.bench_id, verdict="error", reason=printable(reason)))
    return by_id, doubled


def _missing_expected(bench_id: str) -> Judgement:
    reason = printable(f"{bench_id}: expected, and there is no current summary")
    return Judgement(bench_id=bench_id, verdict="error", reason=reason)


def _missing_current(baseline: LoadedSummary) -> Judgement:
    bench_id = baseline.summary.bench_id
    reason = printable(f"{baseline.path}: there is no current summary of the bench {bench_id}")
    return Judgement(bench_id=bench_id, verdict="error", reason=reason, baseline_path=baseline.path)


def _is_nothing(pair: LoadedPair) -> bool:
    """Return whether all figures and samples of both sides are 0."""
    sides = pair.baseline.summary, pair.current.summary
    return all(side.p95 == 0 and not any(map(any, side.samples or ())) for side in sides)


def _unjudged(problem: LoadError) -> Judgement:
    return Judgement(
        bench_id=problem.bench_id, verdict="pass", reason=problem.message, current_path=problem.path, judged=False
    )


def _error(problem: LoadError) -> Judgement:
    return Judgement(bench_id=problem.bench_id, verdict="error", reason=problem.message, current_path=problem.path)
