"""The series behind a pair of summaries: pair them by figure, and judge each by its policy. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from aether_guard.check.files import LoadedSummary
from aether_guard.check.judge import assess, judge_all
from aether_guard.check.limits import limit_in
from aether_guard.check.moved_functions import COUNT, same_python
from aether_guard.check.policy import figure_policy, policy_for
from aether_guard.check.verdict import Judgement
from aether_guard.errors import GuardError
from aether_guard.report.format import format_value
from aether_schema import Series, printable, series_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from aether_guard.check.policy import Policy, PolicySet
    from aether_guard.check.verdict import Verdict


class LoadedPair(Struct, frozen=True):
    """A baseline and the current summary to compare with it, of a bench or of its further figure `figure`."""

    baseline: LoadedSummary
    current: LoadedSummary
    figure: str | None = None
    exact: bool = False
    bench_id: str = ""


def pairs_of_series(pair: LoadedPair, book: PolicySet) -> tuple[list[LoadedPair], list[Judgement]]:
    """Return a pair for each figure that both sides have, and judgements on the others."""
    old = {series.figure: series for series in series_of(pair.baseline.summary)}
    new = {series.figure: series for series in series_of(pair.current.summary)}
    pairs: list[LoadedPair] = []
    others: list[Judgement] = []
    for figure, series in new.items():
        before = old.get(figure)
        current = replace(pair.current, summary=series.summary)
        if before is None:
            others.append(judge_new(current, series, book))
            continue
        baseline = replace(pair.baseline, summary=before.summary)
        found = LoadedPair(baseline, current, figure, series.exact and before.exact, series.bench_id)
        if series.varies or before.varies:
            side = "now" if series.varies else "in the baseline"
            others.append(_unjudged_pair(found, f"the count differs from round to round {side}"))
        elif series.summary.unit == COUNT and not same_python(pair.baseline.summary, pair.current.summary):
            others.append(_unjudged_pair(found, "counted by another version of Python"))
        elif found.exact and before.summary.p50 == 0:
            others.append(zero_on_both_sides(found) if series.summary.p50 == 0 else _from_zero(found))
        else:
            pairs.append(found)
    others += [
        _unjudged_pair(
            LoadedPair(
                replace(pair.baseline, summary=series.summary),
                replace(pair.current, summary=series.summary),
                figure,
                bench_id=series.bench_id,
            ),
            "measured in the baseline only",
        )
        for figure, series in old.items()
        if figure not in new
    ]
    return pairs, others


def judge_pairs(matched: Sequence[LoadedPair], book: PolicySet, today: date) -> list[Judgement]:
    """Return a judgement for each pair of series, by its policy."""
    policies = [_policy_of_pair(pair, book) for pair in matched]
    judged = [(pair, policy) for pair, policy in zip(matched, policies, strict=True) if policy.judge]
    assessments = [assess(pair.baseline.summary, pair.current.summary, policy, today) for pair, policy in judged]
    judgements = [
        _with_limit(_with_paths(judgement, pair), pair, policy)
        for judgement, (pair, policy) in zip(judge_all(assessments, book.level), judged, strict=True)
    ]
    reported = [pair for pair, policy in zip(matched, policies, strict=True) if not policy.judge]
    return judgements + [_unjudged_pair(pair, "reported only, by its policy") for pair in reported]


def series_policy(series: Series, book: PolicySet) -> Policy:
    """Return the policy of a series: the bench's, or that of a further figure."""
    series_id = series.summary.bench_id
    if series.figure is None:
        return policy_for(series_id, book)
    return figure_policy(series.bench_id, series.figure, series_id, book, exact=series.exact)


def _policy_of_pair(pair: LoadedPair, book: PolicySet) -> Policy:
    series = Series(bench_id=pair.bench_id, summary=pair.current.summary, figure=pair.figure, exact=pair.exact)
    return series_policy(series, book)


def _with_limit(judgement: Judgement, pair: LoadedPair, policy: Policy) -> Judgement:
    """Return the judgement; over the absolute limit it is a regression."""
    summary = pair.current.summary
    value = summary.statistic(policy.quantile) if judgement.current is None else judgement.current
    if policy.limit is None or value is None or judgement.verdict == "error":
        return judgement
    try:
        limit = limit_in(policy.limit, summary.unit)
    except GuardError as error:
        reason = printable(f"{pair.current.path}: {summary.bench_id}: {error}")
        return replace(judgement, verdict="error", reason=reason)
    if value <= limit if summary.lower_is_better else value >= limit:
        return replace(judgement, limit=limit)
    side = "over" if summary.lower_is_better else "under"
    reason = f"{format_value(value, summary.unit)}, {side} the limit of {printable(policy.limit)}; {judgement.reason}"
    return replace(
        judgement, verdict="regression", limit=limit, reason=reason, current=value, warn_only=policy.warn_only
    )


def judge_new(current: LoadedSummary, series: Series, book: PolicySet) -> Judgement:
    """Return the judgement on a series without a baseline: only a limit can fail it."""
    pair = LoadedPair(current, current, series.figure, series.exact, series.bench_id)
    policy = series_policy(series, book)
    judgement = Judgement(
        bench_id=current.summary.bench_id,
        verdict="pass",
        metric=current.summary.metric,
        unit=current.summary.unit,
        reason="it has no baseline yet",
        current_path=current.path,
        figure=series.figure,
        exact=series.exact,
        judged=policy.judge,
    )
    return _with_limit(judgement, pair, policy) if policy.judge else judgement


def zero_on_both_sides(pair: LoadedPair) -> Judgement:
    """Return the judgement on a series that is 0 on both sides, which has no ratio."""
    return _judgement_on(pair, "pass", "it is 0 on both sides")


def _from_zero(pair: LoadedPair) -> Judgement:
    """Return the judgement on a count that was 0: there is no ratio, but more is worse or better."""
    verdict: Verdict = "regression" if pair.current.summary.lower_is_better else "improvement"
    return _judgement_on(pair, verdict, "it was 0 in the baseline")


def _unjudged_pair(pair: LoadedPair, reason: str) -> Judgement:
    return replace(_judgement_on(pair, "pass", reason), judged=False)


def _judgement_on(pair: LoadedPair, verdict: Verdict, reason: str) -> Judgement:
    """Return a judgement that needs no estimate."""
    summary = pair.current.summary
    judgement = Judgement(
        bench_id=summary.bench_id,
        verdict=verdict,
        metric=summary.metric,
        unit=summary.unit,
        baseline=pair.baseline.summary.p50,
        current=summary.p50,
        reason=reason,
    )
    return _with_paths(judgement, pair)


def _with_paths(judgement: Judgement, pair: LoadedPair) -> Judgement:
    """Add the paths and the figure. The reason of an error names them too, because the user has to fix a file."""
    if judgement.verdict == "error":
        reason = f"{printable(pair.current.path)}: {printable(judgement.reason)} ({printable(pair.baseline.path)})"
        judgement = replace(judgement, reason=reason)
    return replace(
        judgement,
        baseline_path=pair.baseline.path,
        current_path=pair.current.path,
        figure=pair.figure,
        exact=pair.exact,
    )
