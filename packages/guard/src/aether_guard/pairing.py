"""Which baseline goes with which current."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from aether_guard.compare import compare
from aether_guard.source import Loaded, Problem, is_single, load, load_all
from aether_guard.verdict import Judgement
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aether_guard.compare import Rule


class Sides(Struct, frozen=True, kw_only=True):
    """The paths to compare: pairs of files as they were given, and two sides to be paired by bench."""

    pairs: tuple[tuple[str, str], ...] = ()
    baseline: tuple[str, ...] = ()
    current: tuple[str, ...] = ()


def split_sides(paths: Sequence[str], baseline: Sequence[str], current: Sequence[str]) -> Sides:
    """Sort the paths given in turn, baseline then current, from those to be paired by bench.

    Two files are a pair whatever they hold; of a folder or a glob, only the benches say who goes with whom.
    """
    given = list(zip(paths[::2], paths[1::2], strict=True))
    pairs = [pair for pair in given if is_single(pair[0]) and is_single(pair[1])]
    others = [pair for pair in given if pair not in pairs]
    return Sides(
        pairs=tuple(pairs),
        baseline=(*(pair[0] for pair in others), *baseline),
        current=(*(pair[1] for pair in others), *current),
    )


def judge_sides(sides: Sides, rule: Rule) -> list[Judgement]:
    """Load both sides, pair them, and return a judgement a bench, an error where there can be none."""
    judgements = [judgement for pair in sides.pairs for judgement in _judge_pair(*pair, rule)]
    if sides.baseline or sides.current:
        judgements += _judge_by_bench(sides, rule)
    return judgements


def _judge_pair(baseline_path: str, current_path: str, rule: Rule) -> Iterable[Judgement]:
    baseline, current = load(baseline_path), load(current_path)
    if isinstance(baseline, Loaded) and isinstance(current, Loaded):
        return [_judge(baseline, current, rule)]
    return [_error(item) for item in (baseline, current) if isinstance(item, Problem)]


def _judge_by_bench(sides: Sides, rule: Rule) -> list[Judgement]:
    baselines, problems = load_all(sides.baseline)
    currents, more_problems = load_all(sides.current)
    judgements = [_error(problem) for problem in (*problems, *more_problems)]
    by_id, doubled = _by_id(baselines)
    current_by_id, current_doubled = _by_id(currents)
    judgements += [*doubled, *current_doubled]
    for bench_id, baseline in by_id.items():
        current = current_by_id.get(bench_id)
        judgements.append(_vanished(baseline) if current is None else _judge(baseline, current, rule))
    judgements += [_new(current) for bench_id, current in current_by_id.items() if bench_id not in by_id]
    return judgements


def _by_id(side: Sequence[Loaded]) -> tuple[dict[str, Loaded], list[Judgement]]:
    """Return the summaries by bench, and an error for every second one of a bench."""
    by_id: dict[str, Loaded] = {}
    doubled = []
    for item in side:
        first = by_id.setdefault(item.summary.bench_id, item)
        if first is not item:
            reason = f"{item.path}: bench_id: {item.summary.bench_id} is in {first.path} already"
            doubled.append(Judgement(bench_id=item.summary.bench_id, verdict="error", reason=printable(reason)))
    return by_id, doubled


def _judge(baseline: Loaded, current: Loaded, rule: Rule) -> Judgement:
    judgement = compare(baseline.summary, current.summary, rule)
    if judgement.verdict == "error":
        reason = f"{printable(current.path)}: {printable(judgement.reason)} ({printable(baseline.path)})"
        judgement = replace(judgement, reason=reason)
    return replace(judgement, baseline_path=baseline.path, current_path=current.path)


def _vanished(baseline: Loaded) -> Judgement:
    bench_id = baseline.summary.bench_id
    reason = printable(f"{baseline.path}: there is no current summary of the bench {bench_id}")
    return Judgement(bench_id=bench_id, verdict="error", reason=reason, baseline_path=baseline.path)


def _new(current: Loaded) -> Judgement:
    summary = current.summary
    return Judgement(
        bench_id=summary.bench_id,
        verdict="pass",
        metric=summary.metric,
        unit=summary.unit,
        reason="new: it has no baseline yet",
        current_path=current.path,
    )


def _error(problem: Problem) -> Judgement:
    return Judgement(bench_id=None, verdict="error", reason=problem.message, current_path=problem.path)
