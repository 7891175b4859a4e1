"""A judgment per bench, and the report of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from aether_guard.check.moved_functions import MovedFunction
from aether_schema import Metric, Statistic

if TYPE_CHECKING:
    from collections.abc import Iterable

Verdict = Literal["pass", "regression", "improvement", "inconclusive", "error"]
Quantile = Literal["p50", "p95"]

EXIT_PASS = 0
EXIT_REGRESSION = 1
EXIT_ERROR = 2
EXIT_INCONCLUSIVE = 3

#: From the best news to the worst.
SEVERITY: dict[Verdict, int] = {"improvement": 0, "pass": 1, "inconclusive": 2, "regression": 3, "error": 4}


#: Rounding does not decide: a figure this close to the gate, as a fraction of the baseline, is on it.
TOLERANCE = 1e-9


class Judgement(Struct, frozen=True, kw_only=True):
    """The verdict on one bench. `change` is the worsening as a fraction: positive is worse.

    `baseline` and `current` are values of the statistic `quantile` in `unit`. `change_adjusted` is the normalized
    worsening and `change_decisive` the one on which the verdict rests. `interval` holds its bounds and `interval_level`
    its level, such as 0.9. `processes` counts the processes behind each side's samples and `runs` the runs in the
    baseline; with one run, the interval omits differences between runs. `retaken` counts the samples of each side that
    were retaken because the CPU was taken away. `samples_needed` is None if no number of samples would decide. With
    `warn_only` a regression does not fail the build. A bench with `judged` false is listed without a verdict: its
    direction is unknown, nothing was measured, or its policy says so. `figure` names a further figure of a bench, and
    `exact` marks counts, which are compared without an interval. `limit` is the absolute limit in `unit`.
    `functions` are those whose counts moved most with a regression or improvement. Values that do not apply are None.
    """

    bench_id: str | None
    verdict: Verdict
    metric: Metric | None = None
    unit: str | None = None
    quantile: Statistic | None = None
    baseline: float | None = None
    current: float | None = None
    change: float | None = None
    change_adjusted: float | None = None
    change_decisive: float | None = None
    interval: tuple[float, float] | None = None
    interval_level: float | None = None
    processes: tuple[int, int] | None = None
    runs: int | None = None
    retaken: tuple[int, int] | None = None
    samples_needed: int | None = None
    reason: str
    baseline_path: str | None = None
    current_path: str | None = None
    gate: float | None = None
    warn_only: bool = False
    moved_phase: str | None = None
    judged: bool = True
    figure: str | None = None
    exact: bool = False
    limit: float | None = None
    functions: tuple[MovedFunction, ...] = ()


class Report(Struct, frozen=True, kw_only=True):
    """All judgements, the worst first, and their sum.

    `level` bounds the probability that a build without a regression fails. It is None unless the baseline of every
    compared bench keeps several runs: one run does not show differences between runs.
    """

    verdict: Verdict
    exit_code: int
    benches: tuple[Judgement, ...]
    level: float | None = None


def build_report(judgements: Iterable[Judgement], *, strict: bool, level: float | None = None) -> Report:
    """Return the report of `judgements`, with the verdict and the exit status of the worst.

    `strict` makes inconclusive benches fail; an error outranks that. `level` is the false-alarm risk of the judgments;
    the report repeats it only if the evidence of all of them keeps it.
    """
    ordered = tuple(sorted(judgements, key=_badness, reverse=True))
    verdicts = {judgement.verdict for judgement in ordered}
    if "error" in verdicts:
        exit_code = EXIT_ERROR
    elif any(judgement.verdict == "regression" and not judgement.warn_only for judgement in ordered):
        exit_code = EXIT_REGRESSION
    elif "inconclusive" in verdicts and strict:
        exit_code = EXIT_INCONCLUSIVE
    else:
        exit_code = EXIT_PASS
    if not _keeps_level(ordered):
        level = None
    return Report(verdict=max(verdicts, key=SEVERITY.__getitem__), exit_code=exit_code, benches=ordered, level=level)


def judge(change: float, gate: float) -> Verdict:
    """Return whether `change` is beyond `gate` in either direction."""
    if change > gate + TOLERANCE:
        return "regression"
    return "improvement" if change < -gate - TOLERANCE else "pass"


def _keeps_level(judgements: Iterable[Judgement]) -> bool:
    """Return whether the baselines of all compared benches, and at least one, keep several runs."""
    compared = [judgement for judgement in judgements if judgement.change_decisive is not None and not judgement.exact]
    return bool(compared) and all((judgement.runs or 0) > 1 for judgement in compared)


def _badness(judgement: Judgement) -> tuple[int, float]:
    return SEVERITY[judgement.verdict], judgement.change_decisive or 0.0
