"""The rule: summaries in, judgements out. Pure.

With only figures on a side, a quantile that is worse by more than the gate is a regression. With samples on
both sides the same is asked of an estimate, and whether chance alone could have made it is asked as well.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from aether_guard.check.assessment import Assessment
from aether_guard.check.estimate import INTERVAL_LEVEL, MIN_SAMPLES_FOR_P95, Estimate, estimate
from aether_guard.check.moved_functions import count_change
from aether_guard.check.policy import Policy, waiver_expired
from aether_guard.check.reference import VERSION_KEYS, correction_std_error, environment_differences, reference_shift
from aether_guard.check.retakes import note_on_retaken, retaken_samples
from aether_guard.check.statistic_choice import Choice, choose_statistic
from aether_guard.check.verdict import TOLERANCE, Judgement, judge
from aether_guard.report.reason import explain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from aether_guard.check.verdict import Verdict
    from aether_schema import Summary

#: A regression needs an estimate beyond the gate, and evidence that it is not chance: that more than this fraction of
#: the gate is real.
NULL_GATE_FRACTION = 0.25


def assess(baseline: Summary, current: Summary, policy: Policy, today: date) -> Assessment:
    """Return the assessment of a bench.

    The worsening is `current / baseline - 1` where lower is better and `1 - current / baseline` where
    higher is.
    """
    assessment = Assessment(baseline=baseline, current=current, policy=policy, gate=policy.gate_in_force)
    problem = incompatibility(baseline, current) or _policy_problem(policy, today)
    if problem is not None:
        return replace(assessment, problem=problem)
    chosen = choose_statistic(baseline, current, policy)
    if isinstance(chosen, str):
        return replace(assessment, problem=chosen)
    before, after = chosen.baseline, chosen.current
    if before == 0 or not math.isfinite(after / before):
        return replace(assessment, problem=f"{chosen.name}: {before:g} in the baseline, and there is no ratio to it")
    change = worsening(before, after, lower_is_better=baseline.lower_is_better)
    return _with_evidence(replace(assessment, chosen=chosen, change=change), chosen)


def judge_all(assessments: Sequence[Assessment], level: float) -> list[Judgement]:
    """Return a judgement each.

    The probability that any bench with a true worsening of at most a quarter of its gate is called a regression is at
    most `level`, for any number of benches, by Holm's step-down procedure (Holm 1979, A simply rejective multiple test
    procedure). Differences between runs are included only if the baseline keeps several runs. The plain rule, for
    figures alone, has no such bound.
    """
    chances = {
        index: known.decisive.p_value_worse(known.gate * NULL_GATE_FRACTION)
        for index, known in enumerate(assessments)
        if known.problem is None and known.decisive is not None and not known.undecidable
    }
    real = holm_rejections(chances, level)
    return [_judgement(known, real=index in real, level=level) for index, known in enumerate(assessments)]


def holm_rejections(chances: dict[int, float], level: float) -> set[int]:
    """Return the keys whose p-values stand at the family-wise `level`, by Holm's procedure."""
    found: set[int] = set()
    for rank, index in enumerate(sorted(chances, key=chances.__getitem__)):
        if chances[index] > level / (len(chances) - rank):
            break
        found.add(index)
    return found


def incompatibility(baseline: Summary, current: Summary) -> str | None:
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
                return _other_params(name, baseline.params, current.params)
    return None


def _other_params(name: str, before: dict[str, Any], after: dict[str, Any]) -> str:
    """Return the difference of the sides in a parameter, and the remedy if only one side has it."""
    theirs, ours = (repr(side[name]) if name in side else "none" for side in (before, after))
    problem = f"params.{name} differs: {theirs} in the baseline, {ours} now"
    if name in before and name in after:
        return problem
    change = "gained" if name in after else "lost"
    return f"{problem}; if the bench {change} this parameter, promote a new baseline"


def worsening(before: float, after: float, *, lower_is_better: bool) -> float:
    """Return by which fraction of `before`, which is not 0, `after` is worse; negative is better."""
    ratio = after / before
    return ratio - 1 if lower_is_better else 1 - ratio


def decide(assessment: Assessment, *, real: bool, level: float) -> Verdict:
    """Return the verdict on one bench of which it is known whether chance alone could have made it worse."""
    if assessment.undecidable:
        return "inconclusive"
    if assessment.decisive is None:
        return judge(assessment.change, assessment.gate)
    return judge_estimate(assessment.decisive, assessment.gate, real=real, level=level)


def judge_estimate(found: Estimate, gate: float, *, real: bool, level: float) -> Verdict:
    """Return the verdict on an estimate of which it is known whether chance alone could have made it worse."""
    verdict = judge(found.change, gate)
    if verdict == "regression":
        return "regression" if real else "inconclusive"
    if verdict == "improvement" and found.p_value_better(gate * NULL_GATE_FRACTION) <= level:
        return "improvement"
    return "inconclusive" if found.interval[1] > gate + TOLERANCE else "pass"


def _policy_problem(policy: Policy, today: date) -> str | None:
    if policy.waiver is not None and waiver_expired(policy.waiver, today):
        return f"its waiver expired on {policy.waiver.expires}: {policy.waiver.reason}"
    return None


def _with_evidence(assessment: Assessment, chosen: Choice) -> Assessment:
    """Add the estimates, and the reasons against letting them decide."""
    baseline, current, policy = assessment.baseline, assessment.current, assessment.policy
    differing = environment_differences(baseline, current)
    machine = [key for key in differing if key not in VERSION_KEYS] if policy.host_mismatch != "ignore" else []
    if machine and policy.host_mismatch == "error":
        return replace(assessment, problem=f"the machines differ in {', '.join(machine)}")
    raw = estimate(baseline, current, chosen.name, normalized=False)
    shift = reference_shift(baseline, current) if raw is not None else None
    normalized = estimate(baseline, current, chosen.name, normalized=True) if shift is not None else None
    has_samples = raw is not None and raw.sample_size > 0
    lacking = (policy.evidence != "any" and not has_samples) or (policy.evidence == "ruler" and normalized is None)
    if lacking:
        what = "samples on both sides" if not has_samples else "the same reference on both sides"
        return replace(assessment, problem=f"the policy asks for {what}")
    doubt = None
    notes = [note for note in (chosen.note, note_on_retaken(baseline, current)) if note is not None]
    if raw is None and baseline.samples and current.samples:
        notes.append("too few samples for an interval: the two figures alone decide")
    if raw is not None and normalized is not None and shift is not None:
        # The slow tail of a throughput goes with the slow tail of the reference, which is a time.
        slow = chosen.probability if baseline.lower_is_better else 1 - chosen.probability
        correction = correction_std_error(baseline, current, slow)
        normalized = normalized.with_fixed_error(correction)
        if machine and shift.disagreement is None:
            doubt = "and no second kernel confirms the reference between them"
        normalized = replace(normalized, extra_half_width=shift.shift_uncertainty(same_machine=not machine))
    elif machine:
        doubt = "and no reference was timed on both"
    return replace(
        assessment,
        raw=raw,
        normalized=normalized,
        reference_shift=shift,
        machine=tuple(machine),
        versions=tuple(key for key in differing if key in VERSION_KEYS),
        notes=tuple(notes),
        blocking_doubt=doubt,
    )


def _judgement(assessment: Assessment, *, real: bool, level: float) -> Judgement:
    policy, chosen = assessment.policy, assessment.chosen
    if assessment.problem is not None or chosen is None:
        return Judgement(
            bench_id=assessment.current.bench_id, verdict="error", reason=assessment.problem or "nothing to judge"
        )
    found = assessment.decisive
    verdict = decide(assessment, real=real, level=level)
    needed = None
    if found is not None and verdict == "inconclusive" and not assessment.undecidable:
        needed = found.samples_needed(assessment.gate)
        if chosen.is_tail and needed is not None:
            needed = max(needed, MIN_SAMPLES_FOR_P95)
    moved = counts = None
    if verdict in {"regression", "improvement"}:
        moved = _moved_phase(assessment.baseline, assessment.current, verdict)
        counts = count_change(assessment.baseline, assessment.current, verdict)
    return Judgement(
        bench_id=assessment.current.bench_id,
        verdict=verdict,
        metric=assessment.current.metric,
        unit=assessment.current.unit,
        quantile=chosen.name,
        baseline=chosen.baseline,
        current=chosen.current,
        change=assessment.change,
        change_adjusted=None if assessment.normalized is None else assessment.normalized.change,
        change_decisive=assessment.change_decisive,
        interval=None if found is None else found.interval,
        interval_level=None if found is None else INTERVAL_LEVEL,
        processes=assessment.processes,
        runs=None if found is None else found.runs,
        retaken=retaken_samples(assessment.baseline, assessment.current),
        samples_needed=needed,
        reason=explain(assessment, needed=needed, moved=moved, counts=counts),
        gate=assessment.gate,
        warn_only=policy.warn_only,
        moved_phase=moved,
        functions=() if counts is None else counts.functions,
    )


def _moved_phase(baseline: Summary, current: Summary, verdict: Verdict) -> str | None:
    """Return the phase whose median moved most, in milliseconds, the way the whole did."""
    if not baseline.phases or not current.phases:
        return None
    moves = {
        name: current.phases[name].p50 - baseline.phases[name].p50
        for name in baseline.phases.keys() & current.phases.keys()
    }
    way = 1 if verdict == "regression" else -1
    name = max(sorted(moves), key=lambda name: way * moves[name], default=None)
    return name if name is not None and way * moves[name] > 0 else None
