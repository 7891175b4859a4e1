"""The rule: two summaries in, one judgement out. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_guard.figure import percentage, worse_or_better
from aether_guard.verdict import Judgement, Quantile

if TYPE_CHECKING:
    from aether_guard.verdict import Verdict
    from aether_schema import Summary

#: Rounding does not decide: a figure this close to the gate, as a fraction of the baseline, is on it.
TOLERANCE = 1e-9


class Rule(Struct, frozen=True, kw_only=True):
    """What counts as a regression: a worsening of `quantile` greater than `gate`, a fraction."""

    gate: float = 0.2
    quantile: Quantile = "p95"


DEFAULT_RULE = Rule()


def compare(baseline: Summary, current: Summary, rule: Rule) -> Judgement:
    """Judge `current` against `baseline` by the point rule.

    The worsening is `current / baseline - 1` where lower is better and `1 - current / baseline` where
    higher is. Exactly the gate passes.
    """
    before, after = getattr(baseline, rule.quantile), getattr(current, rule.quantile)
    problem = incomparable(baseline, current)
    if problem is None and (before == 0 or not math.isfinite(after / before)):
        problem = f"{rule.quantile}: {before:g} in the baseline, and nothing can be compared with that"
    if problem is not None:
        return Judgement(bench_id=current.bench_id, verdict="error", reason=problem)
    change = worsening(before, after, lower_is_better=baseline.lower_is_better)
    return Judgement(
        bench_id=current.bench_id,
        verdict=judge(change, rule.gate),
        metric=current.metric,
        unit=current.unit,
        quantile=rule.quantile,
        baseline=before,
        current=after,
        change=change,
        reason=f"{rule.quantile} {worse_or_better(change)}, gate {percentage(rule.gate)}",
    )


def incomparable(baseline: Summary, current: Summary) -> str | None:
    """Return why the two cannot be compared at all, or None."""
    for key in ("bench_id", "metric", "unit"):
        theirs, ours = getattr(baseline, key), getattr(current, key)
        if theirs != ours:
            return f"{key} differs: {theirs!r} in the baseline, {ours!r} now"
    if baseline.lower_is_better != current.lower_is_better:
        return f"better differs: {baseline.better!r} in the baseline, {current.better!r} now"
    if baseline.params and current.params:
        for name in sorted(baseline.params.keys() | current.params.keys()):
            theirs, ours = baseline.params.get(name), current.params.get(name)
            if theirs != ours:
                return f"params.{name} differs: {theirs!r} in the baseline, {ours!r} now"
    return None


def worsening(before: float, after: float, *, lower_is_better: bool) -> float:
    """Return by which fraction of `before`, which is not 0, `after` is worse; negative is better."""
    ratio = after / before
    return ratio - 1 if lower_is_better else 1 - ratio


def judge(change: float, gate: float) -> Verdict:
    """Return whether a worsening of `change` is beyond `gate`, for the worse or for the better."""
    if change > gate + TOLERANCE:
        return "regression"
    return "improvement" if change < -gate - TOLERANCE else "pass"
