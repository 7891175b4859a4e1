"""Results of comparisons: figures for programs, judgments for reports, a sentence for people. Pure."""

from __future__ import annotations

import math
from itertools import groupby
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_compare.stats.interference import interference_of
from aether_guard.check.verdict import Judgement, Quantile, Report, Verdict, build_report
from aether_guard.report.format import format_change, format_percent, format_signed_percent
from aether_schema import Metric, printable, quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_compare.scheduler import Comparison, ComparisonSpec

#: Interference is reported where it is this number of standard errors off zero, and half of it this part of the gate.
_CERTAIN = 4
_MATTERS = 0.25
#: A million pairs more is as good as never.
_MAX_PAIRS = 1_000_000


class ComparisonResult(Struct, frozen=True, kw_only=True):
    """One bench compared: `change` is the worsening as a fraction, positive is worse.

    `interval` is its confidence sequence at the end, each bound wrong with a chance of at most `alpha`; None while
    there is no bound on either way. `old` and `new` are the sides, `old_figure` and `new_figure` the quantile of their
    samples in `unit`. `disturbed` counts the pairs during which the kernel took the CPU away; they count.
    `pairs_needed` is about how many more would have decided.
    """

    verdict: Verdict
    exit_code: int
    bench_id: str
    metric: Metric
    unit: str
    quantile: Quantile
    gate: float
    alpha: float
    pairs: int
    disturbed: int
    change: float | None
    interval: tuple[float, float] | None
    elapsed_s: float
    seed: int
    old: str
    new: str
    old_figure: float | None
    new_figure: float | None
    pairs_needed: int | None
    reason: str


class ComparisonResults(Struct, frozen=True, kw_only=True):
    """Several benches compared, the worst first."""

    verdict: Verdict
    exit_code: int
    benches: tuple[ComparisonResult, ...]


def outcome_of(comparison: Comparison, seed: int, *, strict: bool, warn_only: bool = False) -> ComparisonResult:
    """Return the result of one bench."""
    question, trial = comparison.question, comparison.trial
    rule = question.rule
    verdict: Verdict = "error" if comparison.problem is not None else trial.final_verdict
    probability = {"p50": 0.5, "p95": 0.95}[rule.quantile]
    old, new = ([getattr(drawn, side) for drawn in comparison.pairs] for side in ("old", "new"))
    interval = trial.interval()
    change = trial.estimate()
    pairs_needed = trial.pairs_needed() if verdict == "inconclusive" else None
    alone = Judgement(bench_id=question.bench_id, verdict=verdict, reason="", warn_only=warn_only)
    return ComparisonResult(
        verdict=verdict,
        exit_code=build_report([alone], strict=strict).exit_code,
        bench_id=question.bench_id,
        metric=question.metric,
        unit=question.unit,
        quantile=rule.quantile,
        gate=rule.gate,
        alpha=rule.alpha,
        pairs=len(comparison.pairs),
        disturbed=sum(drawn.disturbed for drawn in comparison.pairs),
        change=change,
        interval=interval,
        elapsed_s=round(comparison.elapsed_s, 3),
        seed=seed,
        old=question.old_side,
        new=question.new_side,
        old_figure=quantile(old, probability) if old else None,
        new_figure=quantile(new, probability) if new else None,
        pairs_needed=pairs_needed,
        reason=(
            _reason(comparison, verdict, change, interval, pairs_needed)
            if comparison.problem is None
            else comparison.problem
        ),
    )


def pairs_in(comparison: Comparison) -> str:
    """Return how much was measured: `40 pairs in 1.2 s`."""
    return f"{counted_pairs(comparison)} in {comparison.elapsed_s:.1f} s"


def counted_pairs(comparison: Comparison) -> str:
    """Return `1 pair`, `40 pairs`."""
    count = len(comparison.pairs)
    return f"{count:,} pair{'' if count == 1 else 's'}"


def sides_label(question: ComparisonSpec) -> str:
    """Return how every reason begins: which side is held against which."""
    return printable(f"{question.new_side} against {question.old_side}: ")


def report_of(outcomes: Sequence[ComparisonResult], *, strict: bool, warn_only: bool, level: float) -> Report:
    """Return the report of a contest, as every format shows it. `level` bounds the false alarms of it all."""
    judgements = [judgement_of(outcome, warn_only=warn_only) for outcome in outcomes]
    return build_report(judgements, strict=strict, level=level)


def judgement_of(outcome: ComparisonResult, *, warn_only: bool) -> Judgement:
    """Return an outcome as a judgement."""
    return Judgement(
        bench_id=outcome.bench_id,
        verdict=outcome.verdict,
        metric=outcome.metric,
        unit=outcome.unit,
        quantile=outcome.quantile,
        baseline=outcome.old_figure,
        current=outcome.new_figure,
        change=outcome.change,
        change_decisive=outcome.change,
        interval=outcome.interval,
        interval_level=None if outcome.interval is None else 1 - 2 * outcome.alpha,
        samples_needed=outcome.pairs_needed,
        reason=outcome.reason,
        gate=outcome.gate,
        warn_only=warn_only,
    )


def _reason(
    comparison: Comparison,
    verdict: Verdict,
    change: float | None,
    interval: tuple[float, float] | None,
    pairs_needed: int | None,
) -> str:
    question, rule = comparison.question, comparison.question.rule
    sides = sides_label(question)
    if change is None:
        return f"{sides}no pair was taken in the time there was"
    level = format_percent(1 - 2 * rule.alpha)
    bounds = (
        ""
        if interval is None
        else f" ({level} interval {format_signed_percent(interval[0])} to {format_signed_percent(interval[1])})"
    )
    figures = f"{rule.quantile} {format_change(change)}{bounds}, gate {format_percent(rule.gate)}"
    shown = {
        "regression": "worse by more than the gate",
        "pass": "not worse by more than the gate",
        "improvement": "better by more than the gate",
        "inconclusive": "not decided",
    }[verdict]
    more = f"; about {pairs_needed:,} more would tell" if pairs_needed and pairs_needed < _MAX_PAIRS else ""
    return f"{sides}{figures}: {shown} after {pairs_in(comparison)}{more}{_interference(comparison)}"


def _interference(comparison: Comparison) -> str:
    """Return a warning where one version's sample slows the other's next one by a part of the gate that matters."""
    blocks = [
        [comparison.costs_of(drawn) for drawn in block]
        for _, block in groupby(comparison.pairs, key=lambda drawn: drawn.block)
    ]
    found = interference_of(blocks)
    rule = comparison.question.rule
    if found is None or abs(found.log_difference) < max(
        _CERTAIN * found.standard_error, 2 * _MATTERS * comparison.trial.min_effect
    ):
        return ""
    question = comparison.question
    slowing, slowed = question.old_side, question.new_side
    if found.log_difference < 0:
        slowing, slowed = slowed, slowing
    difference = format_signed_percent(math.expm1(abs(found.log_difference))).lstrip("+")
    return printable(
        f"; a sample of {slowing} slows the next one of {slowed} by {difference} more than the other way round, and "
        f"half of that is in the {rule.quantile}"
    )
