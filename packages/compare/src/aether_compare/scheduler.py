"""Compare several benches in turn until each is decided."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from aether_compare.pair import SamplePair, to_costs
from aether_compare.stats.sequential_test import SequentialTest, TestSpec
from aether_guard.errors import GuardError
from aether_schema import Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from aether_compare.stats.e_process import CostPair


class ComparisonSpec(Struct, frozen=True, kw_only=True):
    """The question about one bench: the unit of its figures, the names of its two versions, and the rule."""

    bench_id: str
    metric: Metric
    unit: str
    old_side: str
    new_side: str
    rule: TestSpec


class PairSource(Protocol):
    """The source of the pairs of one bench."""

    @property
    def bets_per_block(self) -> int:
        """The number of bets that a block takes with the same two workers."""

    def open_block(self) -> AbstractContextManager[Callable[[], tuple[SamplePair, ...]]]:
        """Start both versions and yield a function that takes the pairs of one bet."""


class Comparison:
    """One bench: the question, the pairs so far, and the trial they stand before."""

    def __init__(self, question: ComparisonSpec) -> None:
        """Begin without a pair."""
        self.question = question
        self.trial = SequentialTest(question.rule)
        self.pairs: list[SamplePair] = []
        self.elapsed_s = 0.0
        self.problem: str | None = None

    @property
    def decided(self) -> bool:
        """Whether no further pair is wanted."""
        return self.problem is not None or self.trial.verdict is not None

    def add(self, bet: Sequence[SamplePair]) -> None:
        """Take the pairs of one more bet into account.

        Raises:
            GuardError: a figure has no ratio; names the bench and the side.

        """
        self.trial.add(*map(self.costs_of, bet))
        self.pairs += bet

    def costs_of(self, pairs: SamplePair) -> CostPair:
        """Return the costs of both versions in a pair.

        Raises:
            GuardError: a figure has no ratio; names the bench and the side.

        """
        question = self.question
        try:
            return to_costs(
                pairs, lower_is_better=question.rule.lower_is_better, sides=(question.old_side, question.new_side)
            )
        except GuardError as error:
            raise GuardError(f"{question.bench_id}: {error}") from None


class ComparisonObserver(Protocol):
    """Watches a contest go by."""

    def pairs_added(self, comparison: Comparison, left_s: float) -> None:
        """A bench has more pairs; `left_s` seconds are left for all undecided benches."""

    def decided(self, comparison: Comparison) -> None:
        """A bench has its verdict, or failed."""

    def ended(self) -> None:
        """No more pairs are taken."""


def run_comparisons(
    benches: Sequence[tuple[Comparison, PairSource]],
    budget_s: float,
    watcher: ComparisonObserver,
    clock: Callable[[], float] = monotonic,
) -> None:
    """Take pairs of every bench until it is decided or `budget_s` is over for all.

    The benches take turns, a block each, so that a bad minute of the machine does not fall on one bench
    alone, and those that are decided early leave their time to the others. One that fails leaves the others be.
    """
    try:
        _round_robin(benches, clock() + budget_s, watcher, clock)
    finally:
        watcher.ended()


def _round_robin(
    benches: Sequence[tuple[Comparison, PairSource]],
    ends: float,
    watcher: ComparisonObserver,
    clock: Callable[[], float],
) -> None:
    undecided = list(benches)
    while undecided and clock() < ends:
        for comparison, opponents in undecided:
            if clock() >= ends:
                return
            started = clock()
            try:
                _run_block(comparison, opponents, ends, watcher, clock)
            except GuardError as error:
                comparison.problem = str(error)
            comparison.elapsed_s += clock() - started
            if comparison.decided:
                watcher.decided(comparison)
        undecided = [item for item in undecided if not item[0].decided]


def _run_block(
    comparison: Comparison, opponents: PairSource, ends: float, watcher: ComparisonObserver, clock: Callable[[], float]
) -> None:
    with opponents.open_block() as take:
        for _ in range(opponents.bets_per_block):
            comparison.add(take())
            left_s = ends - clock()
            watcher.pairs_added(comparison, left_s)
            if comparison.decided or left_s <= 0:
                return
