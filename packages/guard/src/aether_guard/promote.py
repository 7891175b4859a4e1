"""Making current figures the baseline, for a reason that stays with them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from aether_guard.error import GuardError
from aether_guard.source import Loaded, load_all
from aether_schema import Summary, write_summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Promotion(Struct, frozen=True, kw_only=True):
    """One baseline to be written: the new summary, its file, and the summary it replaces, if any."""

    path: str
    summary: Summary
    replaced: Summary | None


def plan_promotions(
    baseline: Sequence[str], current: Sequence[str], benches: Sequence[str], reason: str
) -> list[Promotion]:
    """Return what would be written to promote `benches`, or all that have a current file.

    A bench without a baseline goes into the one baseline folder there is.

    Raises:
        GuardError: a file is invalid, a bench has no current, or it is not clear where its baseline belongs.

    """
    reason = " ".join(reason.split())
    if not reason:
        raise GuardError("--reason: say why the baseline changes; it is kept in its notes")
    current_by_id = _by_id(_loaded(current, required=True))
    baseline_by_id = _by_id(_loaded([path for path in baseline if os.path.exists(path)], required=False))
    for bench_id in benches:
        if bench_id not in current_by_id:
            raise GuardError(f"{bench_id}: no current summary of this bench; there are: {', '.join(current_by_id)}")
    return [
        _promotion(current_by_id[bench_id], baseline_by_id.get(bench_id), baseline, reason)
        for bench_id in benches or current_by_id
    ]


def write_promotions(promotions: Iterable[Promotion]) -> None:
    """Write every planned baseline.

    Raises:
        SummaryFileError: one cannot be written; those before it were.

    """
    for promotion in promotions:
        write_summary(promotion.path, promotion.summary)


def _promotion(current: Loaded, replaced: Loaded | None, baseline: Sequence[str], reason: str) -> Promotion:
    notes = "; ".join(filter(None, (f"promoted: {reason}", current.summary.notes)))
    return Promotion(
        path=_place(current, baseline) if replaced is None else replaced.path,
        summary=replace(current.summary, notes=notes),
        replaced=None if replaced is None else replaced.summary,
    )


def _place(current: Loaded, baseline: Sequence[str]) -> str:
    if len(baseline) != 1:
        raise GuardError(
            f"{current.summary.bench_id}: it has no baseline yet, and there is not one folder for it to go to: "
            "name one with --baseline"
        )
    path = baseline[0]
    return path if path.endswith(".json") else os.path.join(path, os.path.basename(current.path))


def _loaded(paths: Sequence[str], *, required: bool) -> list[Loaded]:
    if required and not paths:
        raise GuardError("no current files: name them with --current, or in aether.toml")
    loaded, problems = load_all(paths)
    # An empty baseline folder is where the first baseline goes.
    invalid = [problem for problem in problems if required or not os.path.isdir(problem.path)]
    if invalid:
        raise GuardError("\n".join(problem.message for problem in invalid))
    return loaded


def _by_id(side: Iterable[Loaded]) -> dict[str, Loaded]:
    by_id: dict[str, Loaded] = {}
    for item in side:
        first = by_id.setdefault(item.summary.bench_id, item)
        if first is not item:
            raise GuardError(f"{item.path}: bench_id: {item.summary.bench_id} is in {first.path} already")
    return by_id
