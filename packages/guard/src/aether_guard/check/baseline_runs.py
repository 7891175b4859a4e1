"""The runs that a baseline keeps: they show by how much runs of the same code differ. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from aether_guard.check.estimate import level
from aether_guard.check.judge import incompatibility
from aether_guard.check.reference import VERSION_KEYS, environment_differences
from aether_guard.errors import GuardError
from aether_schema import Levels, RunLevels, Summary, printable, run_figures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_guard.check.files import LoadedSummary
    from aether_schema import Statistic

#: As many digits as samples are written with, and some more.
_DIGITS = 9


def keep_runs(current: Sequence[LoadedSummary], replaced: Summary | None, most: int) -> Summary:
    """Return the newest current summary with the last `most` runs, those of the replaced baseline first.

    Runs of the baseline are left out if they measured something else: other parameters, versions or reference.

    Raises:
        GuardError: two current files are the same run, or not runs of the same code; the message names one.

    """
    *earlier, newest = sorted(current, key=lambda item: item.summary.measured_at)
    for item in earlier:
        if (problem := _differs(item.summary, newest.summary)) is not None:
            raise GuardError(printable(f"{item.path}: {problem}; not a run of the same code as {newest.path}"))
    fresh = [levels_of_run(item.summary) for item in (*earlier, newest)]
    moments = {run.measured_at for run in fresh}
    if len(moments) < len(fresh):
        raise GuardError(printable(f"{newest.path}: another current file has its timestamp, so it is the same run"))
    kept: Sequence[RunLevels] = ()
    if replaced is not None and _differs(replaced, newest.summary) is None:
        kept = [run for run in replaced.runs or (levels_of_run(replaced),) if run.measured_at not in moments]
    runs = (*kept, *fresh)[-most:]
    return replace(newest.summary, runs=runs if most > 1 else None)


def levels_of_run(summary: Summary) -> RunLevels:
    """Return the statistics of one run as a baseline keeps them."""
    lower = summary.lower_is_better
    names: tuple[Statistic, ...] = ("p50", "p95") if lower else ("p5", "p50", "p95")
    if "mean" in (summary.statistics or ()):
        names = (*names, "mean")
    raw = _levels(summary, names, normalized=False)
    normalized = _levels(summary, names, normalized=True) if summary.reference is not None else {}
    figures = {name: float(f"{value:.{_DIGITS}g}") for name, value in run_figures(summary).items()}
    return RunLevels(
        **raw,
        timestamp=summary.timestamp,
        normalized=Levels(**normalized) if normalized else None,
        figures=figures or None,
    )


def _levels(summary: Summary, names: Sequence[Statistic], *, normalized: bool) -> dict[Statistic, float]:
    levels = {name: level(summary, name, normalized=normalized) for name in names}
    return {name: float(f"{value:.{_DIGITS}g}") for name, value in levels.items() if value is not None}


def _differs(summary: Summary, newest: Summary) -> str | None:
    """Return why two summaries cannot be runs of the same code, or None."""
    if (problem := incompatibility(summary, newest)) is not None:
        return problem
    if versions := VERSION_KEYS.intersection(environment_differences(summary, newest)):
        return f"environment.{min(versions)} differs"
    kernels = [side.reference and side.reference.kernel for side in (summary, newest)]
    return None if kernels[0] == kernels[1] else f"reference.kernel differs: {kernels[0]!r} and {kernels[1]!r}"
