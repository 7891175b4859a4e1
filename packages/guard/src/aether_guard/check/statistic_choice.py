"""Choose the statistic on which a bench is judged, from the statistics that both summaries hold. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from aether_schema import PROBABILITY, Statistic

if TYPE_CHECKING:
    from aether_guard.check.policy import Policy
    from aether_schema import Summary

_MIDDLE: tuple[Statistic, ...] = ("p50", "mean")
_ALL: tuple[Statistic, ...] = ("p5", *_MIDDLE, "p95")


class Choice(Struct, frozen=True, kw_only=True):
    """The statistic to judge and its values in the unit of the summaries; `note` explains a substitute."""

    name: Statistic
    baseline: float
    current: float
    note: str | None = None

    @property
    def probability(self) -> float:
        """The probability of the quantile; 0.5 for a mean."""
        return PROBABILITY.get(self.name, 0.5)

    @property
    def is_tail(self) -> bool:
        """Whether the statistic is a tail quantile, which takes many samples to bound."""
        return self.name in {"p5", "p95"}


def choose_statistic(baseline: Summary, current: Summary, policy: Policy) -> Choice | str:
    """Return the statistic that both sides hold and the policy asks for, or the reason why there is none.

    The policy's `p95` means the slow tail: if higher is better, the p5 is used instead, provided that both sides hold
    it. A missing quantile is replaced by the p50 or else the mean, unless the quantile was set explicitly.
    """
    sides = (baseline, current)
    slow_tail: tuple[Statistic, ...] = ("p5",) if policy.quantile == "p95" and not baseline.lower_is_better else ()
    for name in (*slow_tail, policy.quantile):
        if (choice := _held_by_both(name, sides)) is not None:
            return choice
    lacking = "baseline" if baseline.statistic(policy.quantile) is None else "current side"
    missing = f"the {lacking} holds no {policy.quantile}, only {_held(sides[lacking != 'baseline'])}"
    if policy.sources.get("quantile", "default") != "default":
        return f"{policy.quantile}: {missing}; choose another with --quantile or `quantile` in aether.toml"
    for name in _MIDDLE:
        if (choice := _held_by_both(name, sides, f"{name} is judged: {missing}")) is not None:
            return choice
    return f"{policy.quantile}: {missing}, and the two sides have no statistic in common"


def _held_by_both(name: Statistic, sides: tuple[Summary, Summary], note: str | None = None) -> Choice | None:
    before, after = (side.statistic(name) for side in sides)
    if before is None or after is None:
        return None
    return Choice(name=name, baseline=before, current=after, note=note)


def _held(summary: Summary) -> str:
    return " and ".join(name for name in _ALL if summary.statistic(name) is not None)
