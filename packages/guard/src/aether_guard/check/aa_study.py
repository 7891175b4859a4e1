"""The gate that measures itself: how often it cries wolf over recorded runs of unchanged code. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import permutations
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from aether_guard.check.judge import NULL_GATE_FRACTION, assess, decide

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from aether_guard.check.assessment import Assessment
    from aether_guard.check.policy import Policy
    from aether_guard.check.verdict import Verdict
    from aether_schema import Summary

GATES = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)


class ErrorRates(Struct, frozen=True, kw_only=True):
    """The outcome of pairs with one side slowed down by `slowdown`: shares of regressions and of undecided pairs.

    The shares are of comparable pairs.
    """

    slowdown: float
    regressions: float
    inconclusive: float


class NoiseReport(Struct, frozen=True, kw_only=True):
    """The false alarms and the power of a policy over every ordered pair of runs of one bench.

    `tightest_gate` is the smallest of `GATES` with a share of false alarms of at most `wished_rate`, or None. `errors`
    counts the pairs that cannot be compared, and `problem` is the reason for the first.
    """

    bench_id: str
    runs: int
    pairs: int
    errors: int
    problem: str | None
    outcomes: tuple[ErrorRates, ...]
    wished_rate: float
    tightest_gate: float | None


class StudySpec(Struct, frozen=True, kw_only=True):
    """The questions to a policy: the `slowdowns` to find, and the maximum share of false alarms `wished_rate`."""

    slowdowns: Sequence[float]
    wished_rate: float
    level: float


def evaluate_policy(runs: Sequence[Summary], policy: Policy, question: StudySpec, today: date) -> NoiseReport:
    """Return how the policy does on at least two runs of unchanged code, as they are and slowed down."""
    assessed = [assess(before, after, policy, today) for before, after in permutations(runs, 2)]
    known = [item for item in assessed if item.problem is None]
    problem = next((item.problem for item in assessed if item.problem is not None), None)
    level, wished_rate = question.level, question.wished_rate
    tightest = next(
        (gate for gate in GATES if _share("regression", _verdicts(known, gate, 0.0, level)) <= wished_rate), None
    )
    outcomes = []
    for slowdown in (0.0, *question.slowdowns):
        verdicts = _verdicts(known, policy.gate_in_force, slowdown, level)
        outcomes.append(
            ErrorRates(
                slowdown=slowdown,
                regressions=_share("regression", verdicts),
                inconclusive=_share("inconclusive", verdicts),
            )
        )
    return NoiseReport(
        bench_id=runs[0].bench_id,
        runs=len(runs),
        pairs=len(assessed),
        errors=len(assessed) - len(known),
        problem=problem,
        outcomes=tuple(outcomes),
        wished_rate=wished_rate,
        tightest_gate=tightest,
    )


def _verdicts(known: Iterable[Assessment], gate: float, slowdown: float, level: float) -> list[Verdict]:
    return [verdict_when_slowed(item, gate, slowdown, level) for item in known]


def verdict_when_slowed(known: Assessment, gate: float, slowdown: float, level: float) -> Verdict:
    """Return the verdict with the current side slowed down: its estimates move, and their errors stay."""
    if known.current.lower_is_better:
        change = (1 + known.change) * (1 + slowdown) - 1
    else:
        change = 1 - (1 - known.change) / (1 + slowdown)
    raw, normalized = (
        None if found is None else replace(found, log_change=found.log_change + math.log1p(slowdown))
        for found in (known.raw, known.normalized)
    )
    slowed = replace(known, gate=gate, change=change, raw=raw, normalized=normalized)
    found = slowed.decisive
    return decide(
        slowed, real=found is not None and found.p_value_worse(gate * NULL_GATE_FRACTION) <= level, level=level
    )


def _share(verdict: Verdict, verdicts: Sequence[Verdict]) -> float:
    return sum(item == verdict for item in verdicts) / max(1, len(verdicts))
