"""One bench on trial: blocks in, and after each of them either a verdict or the wish for more. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_compare.stats.e_process import EProcess, confidence_bound, is_rejected
from aether_compare.stats.order_effect import log_ratios_without, second_costs
from aether_compare.stats.scoring import LocationScorer, TailScorer
from aether_guard.check.estimate import from_log, to_log
from aether_guard.check.verdict import Quantile
from aether_schema import quantile

if TYPE_CHECKING:
    from aether_compare.stats.e_process import BlockScore, CostPair
    from aether_compare.stats.scoring import Scorer
    from aether_guard.check.verdict import Verdict

TAIL = 0.95


class TestSpec(Struct, frozen=True, kw_only=True):
    """The question: is `quantile` worse by more than `gate`, a fraction from 0 to below 1?

    `alpha` bounds the probability of rejecting a change within the gate, and of passing a change beyond it. A false
    improvement is bounded separately, by `alpha` again. If higher is better, a change is a fraction of the throughput,
    and costs are the time per byte.
    """

    gate: float = 0.02
    alpha: float = 0.001
    quantile: Quantile = "p50"
    lower_is_better: bool = True


class SequentialTest:
    """The evidence on one bench, for and against, as blocks come in."""

    def __init__(self, rule: TestSpec) -> None:
        """Bet by `rule`: on worse than the gate and on not, on better than it and on not."""
        self.rule = rule
        worse, better = self._log(rule.gate), self._log(-rule.gate)
        #: How far the gate is off no change at all, as a logarithm.
        self.min_effect = max(abs(worse), abs(better))
        if rule.quantile == "p50":
            self._scorer: Scorer = LocationScorer(self.min_effect)
        else:
            # The largest throughputs are the smallest costs.
            self._scorer = TailScorer(TAIL if rule.lower_is_better else 1 - TAIL)
        shares = self._scorer.shares
        self.worse = EProcess(worse, 1, shares)
        self.not_worse = EProcess(worse, -1, shares)
        self.better = EProcess(better, -1, shares)
        self.pairs: list[CostPair] = []
        self._second_costs: list[float] = []
        self._blocks = 0
        self._scored: list[BlockScore] = []

    def add(self, *block: CostPair) -> None:
        """Add the pairs of one more block, from the same two processes.

        They are one bet together. Their number must not depend on their values. No pairs are no block.
        """
        if not block:
            return
        self.pairs += block
        self._second_costs += second_costs(block)
        self._blocks += 1
        scored = self._scorer.score(block)
        if scored is not None:
            self._scored.append(scored)
            for wager in (self.worse, self.not_worse, self.better):
                wager.add(scored)

    @property
    def verdict(self) -> Verdict | None:
        """The verdict, None while there is none.

        A pass is held back while it looks like an improvement, which takes longer to show.
        """
        if self._is_rejected(self.worse):
            return "regression"
        if self._is_rejected(self.better):
            return "improvement"
        if self._is_rejected(self.not_worse) and self._log_change() > self._log(-self.rule.gate) / 2:
            return "pass"
        return None

    @property
    def final_verdict(self) -> Verdict:
        """The verdict when there will be no more pairs."""
        return self.verdict or ("pass" if self._is_rejected(self.not_worse) else "inconclusive")

    @property
    def change(self) -> float | None:
        """The estimated worsening: by the median ratio of the pairs, or by the ratio of both quantiles."""
        if not self.pairs:
            return None
        return from_log(self._log_change(), lower_is_better=self.rule.lower_is_better)

    def interval(self) -> tuple[float, float] | None:
        """Return the worsening's confidence sequence as it is now, each bound of it wrong with the chance alpha.

        The probability of a wrong bound holds for all looks together. The gate is outside exactly if the change was
        shown to be beyond or within it; `change` may be outside, because it is another estimate. None while a bound is
        infinite, and if the bounds crossed, so that no single change fits the evidence.
        """
        low, high = (self._bound(way) for way in (1, -1))
        if math.isinf(low) or math.isinf(high) or low > high:
            return None
        lower_is_better = self.rule.lower_is_better
        return from_log(low, lower_is_better=lower_is_better), from_log(high, lower_is_better=lower_is_better)

    def estimate(self) -> float | None:
        """Return the worsening that the verdict rests on: `change`, brought within the bounds where it is outside.

        The median of the pairs and the scores of the blocks weigh distant pairs differently.
        """
        if not self.pairs:
            return None
        low, high = (self._bound(way) for way in (1, -1))
        centre = self._log_change()
        if low <= high:
            centre = min(max(centre, low), high)
        return from_log(centre, lower_is_better=self.rule.lower_is_better)

    def pairs_needed(self) -> int | None:
        """Return about how many more pairs the likeliest verdict takes at the rate the evidence has grown so far."""
        if not self._scored or self.verdict is not None:
            return None
        wanted = -math.log(self.rule.alpha)
        won = math.log(max(self.worse.wealth, self.not_worse.wealth, self.better.wealth, 1e-300))
        if won <= 0:
            return None
        blocks = (wanted - won) * len(self._scored) / won
        return math.ceil(blocks * len(self.pairs) / self._blocks)

    def _bound(self, way: int) -> float:
        """Return up to where the change is refuted, a logarithm."""

        def is_refuted(bound: float) -> bool:
            return is_rejected(self._scored, bound, way, self._scorer.shares, self.rule.alpha)

        # Searched from the gate, so that the interval and the verdict are of one mind about it.
        return confidence_bound(is_refuted, self._log(self.rule.gate), way)

    def _is_rejected(self, wager: EProcess) -> bool:
        return wager.max_wealth * self.rule.alpha >= 1

    def _log(self, change: float) -> float:
        return to_log(change, lower_is_better=self.rule.lower_is_better)

    def _log_change(self) -> float:
        if self.rule.quantile == "p50":
            return quantile(log_ratios_without(self.pairs, self._second_costs), 0.5)
        probability = TAIL if self.rule.lower_is_better else 1 - TAIL
        new, old = ([getattr(pair, side) for pair in self.pairs] for side in ("new", "old"))
        return math.log(quantile(new, probability) / quantile(old, probability))
