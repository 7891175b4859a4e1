"""One bench on trial: pairs in, and after each of them either a verdict or the wish for more. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_guard.ab.bet import Wager, outermost_refuted, refuted
from aether_guard.ab.score import ShiftScorer, TailScorer
from aether_guard.estimate import as_change, as_log
from aether_guard.verdict import Quantile
from aether_schema import quantile

if TYPE_CHECKING:
    from aether_guard.ab.bet import Pair, Scored
    from aether_guard.ab.score import Scorer
    from aether_guard.verdict import Verdict

_TAIL = 0.95


class Rule(Struct, frozen=True, kw_only=True):
    """What is asked: whether `quantile` got worse by more than `gate`, with the chance `alpha` of a wrong answer.

    Where higher is better, a change is a fraction of the throughput; costs are then what a byte takes.
    """

    gate: float = 0.02
    alpha: float = 0.001
    quantile: Quantile = "p50"
    lower_is_better: bool = True


class Trial:
    """The evidence on one bench, for and against, as pairs come in."""

    def __init__(self, rule: Rule) -> None:
        """Bet by `rule`: on worse than the gate and on not, on better than it and on not."""
        self.rule = rule
        worse, better = self._log(rule.gate), self._log(-rule.gate)
        if rule.quantile == "p50":
            self._scorer: Scorer = ShiftScorer(max(abs(worse), abs(better)))
        else:
            # The largest throughputs are the smallest costs.
            self._scorer = TailScorer(_TAIL if rule.lower_is_better else 1 - _TAIL)
        shares = self._scorer.shares
        self.worse = Wager(worse, 1, shares)
        self.not_worse = Wager(worse, -1, shares)
        self.better = Wager(better, -1, shares)
        self.pairs: list[Pair] = []
        self._scored: list[Scored] = []

    def add(self, pair: Pair) -> None:
        """Take one more pair into account."""
        self.pairs.append(pair)
        scored = self._scorer.score(pair)
        if scored is not None:
            self._scored.append(scored)
            for wager in (self.worse, self.not_worse, self.better):
                wager.add(scored)

    @property
    def verdict(self) -> Verdict | None:
        """The verdict, None while there is none.

        A pass is held back while it looks like an improvement, which takes longer to show.
        """
        if self._won(self.worse):
            return "regression"
        if self._won(self.better):
            return "improvement"
        if self._won(self.not_worse) and self._centre() > self._log(-self.rule.gate) / 2:
            return "pass"
        return None

    @property
    def verdict_at_end(self) -> Verdict:
        """The verdict when there will be no more pairs."""
        return self.verdict or ("pass" if self._won(self.not_worse) else "inconclusive")

    @property
    def change(self) -> float | None:
        """The estimate of the worsening: of the pairs' median ratio, or of the ratio of the sides' quantiles."""
        if not self.pairs:
            return None
        return as_change(self._centre(), lower_is_better=self.rule.lower_is_better)

    def interval(self) -> tuple[float, float]:
        """Return the worsening's confidence sequence as it is now, each bound of it wrong with the chance alpha.

        It covers the true change at every look at once, and excludes the gate exactly when there is a verdict.
        """
        if not self._scored:
            return (as_change(-math.inf, lower_is_better=True), math.inf)
        bounds = []
        for way in (1, -1):

            def is_refuted(bound: float, way: int = way) -> bool:
                return refuted(self._scored, bound, way, self._scorer.shares, self.rule.alpha)

            bounds.append(outermost_refuted(is_refuted, self._centre(), way))
        low, high = (as_change(bound, lower_is_better=self.rule.lower_is_better) for bound in bounds)
        return low, high

    def pairs_needed(self) -> int | None:
        """Return about how many more pairs the likeliest verdict takes at the rate the evidence has grown so far."""
        if not self._scored or self.verdict is not None:
            return None
        wanted = -math.log(self.rule.alpha)
        won = math.log(max(self.worse.wealth, self.not_worse.wealth, self.better.wealth, 1e-300))
        if won <= 0:
            return None
        return math.ceil((wanted - won) * len(self._scored) / won)

    def _won(self, wager: Wager) -> bool:
        return wager.peak * self.rule.alpha >= 1

    def _log(self, change: float) -> float:
        return as_log(change, lower_is_better=self.rule.lower_is_better)

    def _centre(self) -> float:
        if self.rule.quantile == "p50":
            return quantile([pair.log_ratio for pair in self.pairs], 0.5)
        probability = _TAIL if self.rule.lower_is_better else 1 - _TAIL
        new, old = ([getattr(pair, side) for pair in self.pairs] for side in ("new", "old"))
        return math.log(quantile(new, probability) / quantile(old, probability))
