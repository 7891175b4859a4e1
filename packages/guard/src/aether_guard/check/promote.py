"""Make current figures the baseline, with a reason that stays in the file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from aether_guard.check.baseline_runs import keep_runs
from aether_guard.check.files import LoadedSummary, is_single_file, load_all
from aether_guard.errors import GuardError
from aether_schema import Summary, printable, write_summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aether_guard.check.verdict import Judgement


class Promotion(Struct, frozen=True, kw_only=True):
    """One baseline to be written: the new summary, its file, and the summary it replaces, if any."""

    path: str
    summary: Summary
    replaced: Summary | None


def plan_promotions(
    baseline: Sequence[str], current: Sequence[str], benches: Sequence[str], reason: str, runs: int = 1
) -> list[Promotion]:
    """Return the files to write to promote `benches`, or all benches with a current file.

    A bench without a baseline goes into the only baseline folder. With `runs` above 1, the last `runs` runs stay in the
    baseline: those of the current files, of which a bench may then have several, and those of the old baseline.

    Raises:
        GuardError: a file is invalid, a bench has no current, or it is not clear where its baseline belongs.

    """
    reason = " ".join(reason.split())
    if not reason:
        raise GuardError("--reason: say why the baseline changes; it is kept in its notes")
    current_by_id = _by_id(_loaded(current, required=True))
    if runs == 1:
        for items in current_by_id.values():
            _only(items, "; --runs 5 keeps several")
    # A file that is not there yet is where a first baseline goes.
    there = [path for path in baseline if not is_single_file(path) or os.path.lexists(path)]
    baseline_by_id = {key: _only(items) for key, items in _by_id(_loaded(there, required=False)).items()}
    for bench_id in benches:
        if bench_id not in current_by_id:
            known = ", ".join(current_by_id)
            raise GuardError(printable(f"{bench_id}: no current summary of this bench; there are: {known}"))
    promotions = [
        _promotion(current_by_id[bench_id], baseline_by_id.get(bench_id), baseline, reason, runs)
        for bench_id in dict.fromkeys(benches or current_by_id)
    ]
    owners = {os.path.realpath(item.path): bench_id for bench_id, item in baseline_by_id.items()}
    for promotion in promotions:
        owner = owners.setdefault(os.path.realpath(promotion.path), promotion.summary.bench_id)
        if owner != promotion.summary.bench_id:
            raise GuardError(
                printable(f"{promotion.path}: is the baseline of {owner}, not of {promotion.summary.bench_id}")
            )
    return promotions


def improved_benches(judgements: Iterable[Judgement]) -> list[str]:
    """Return the benches that are better than their baseline beyond chance."""
    return [
        judgement.bench_id
        for judgement in judgements
        if judgement.bench_id is not None
        and judgement.figure is None
        and judgement.verdict in {"pass", "improvement"}
        and judgement.interval is not None
        and judgement.interval[1] < 0
    ]


def write_promotions(promotions: Iterable[Promotion]) -> None:
    """Write every planned baseline.

    Raises:
        SummaryFileError: one cannot be written; those before it were.

    """
    for promotion in promotions:
        write_summary(promotion.path, promotion.summary)


def _promotion(
    current: Sequence[LoadedSummary], replaced: LoadedSummary | None, baseline: Sequence[str], reason: str, runs: int
) -> Promotion:
    summary = keep_runs(current, None if replaced is None else replaced.summary, runs)
    notes = "; ".join(filter(None, (f"promoted: {reason}", summary.notes)))
    return Promotion(
        path=_place(current[0], baseline) if replaced is None else replaced.path,
        summary=replace(summary, notes=notes),
        replaced=None if replaced is None else replaced.summary,
    )


def _place(current: LoadedSummary, baseline: Sequence[str]) -> str:
    if len(baseline) != 1 or (not is_single_file(baseline[0]) and not os.path.isdir(baseline[0])):
        raise GuardError(
            f"{printable(current.summary.bench_id)}: it has no baseline yet, and there is not one place for it to go "
            "to: name a folder or a file with --baseline"
        )
    path = baseline[0]
    return path if path.endswith(".json") else os.path.join(path, os.path.basename(current.path))


def _loaded(paths: Sequence[str], *, required: bool) -> list[LoadedSummary]:
    if required and not paths:
        raise GuardError("no current files: name them with --current, or in aether.toml")
    loaded, problems = load_all(paths)
    # A baseline folder or glob that finds nothing yet is where the first baseline goes.
    invalid = [problem for problem in problems if required or is_single_file(problem.path)]
    if invalid:
        raise GuardError("\n".join(problem.message for problem in invalid))
    return loaded


def _by_id(side: Iterable[LoadedSummary]) -> dict[str, list[LoadedSummary]]:
    by_id: dict[str, list[LoadedSummary]] = {}
    for item in side:
        by_id.setdefault(item.summary.bench_id, []).append(item)
    return by_id


def _only(items: Sequence[LoadedSummary], hint: str = "") -> LoadedSummary:
    """Return the only file of a bench."""
    first, *others = items
    for item in others:
        problem = f"{item.path}: bench_id: {item.summary.bench_id} is in {first.path} already{hint}"
        raise GuardError(printable(problem))
    return first
