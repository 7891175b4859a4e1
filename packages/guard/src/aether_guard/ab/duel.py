"""Two workers, one a version, asked for a sample in turn: where pairs come from.

Of two workers, who is made ready first is first in all pairs of their life, which are one bet. To draw each pair's
order would have a side take two samples on end now and then, of which the second finds in the caches what the first
has left there: it takes some hundredths less time than one that comes after the other side's, which is noise.
"""

from __future__ import annotations

from contextlib import contextmanager
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, Self

from aether_guard.ab.bet import Pair
from aether_guard.ab.couple import Couples
from aether_guard.ab.drawn import Drawn
from aether_guard.ab.length import Spent
from aether_guard.ab.terms import blaming, drawn_order
from aether_harness.evidence import TOLERATED_LOSS, is_disturbed, lost_ns, usual_of
from aether_harness.protocol import Sample, Taken, Verified, Verify
from aether_harness.target import CommandAddress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from aether_guard.ab.couple import Couple
    from aether_guard.ab.length import Lengths
    from aether_guard.ab.terms import Match, Terms
    from aether_harness.evidence import Evidence, Usual
    from aether_harness.process import Worker

#: Of commands every sample is a process of its own, and so every pair a bet; their workers may live longer.
BETS_OF_COMMANDS = 20
#: Whether samples did what they claim is checked in the first life, and again after so many pairs: it takes as long as
#: some of them.
PAIRS_A_VERIFICATION = 60
#: Disturbed pairs are taken again, up to this share of all: on a machine that is never quiet they are kept, for
#: the test does without a quiet machine, and wants pairs.
MOST_RETAKEN = 0.25
#: So many pairs of a life do not count: its first sample comes after the other side was made ready, and not after a
#: sample of it, and takes a tenth of a millisecond longer for that.
WARM_UPS = 1
#: Samples that take longer than this do not show it, and all of their lives but the first do without.
LONG_SAMPLE_NS = 50_000_000
#: So many where a bench has a process beside its worker: what goes from one to the other takes some samples to find
#: its pace, and pairs vary two or three times as much until then.
WARM_UPS_WITH_COMPANION = 5
#: A life has no further one after so long: where samples take that long, what finds its pace finds it within one.
WARM_UP_LIMIT_S = 0.5
#: What is usual for an operation is told from its last so many samples.
_REMEMBERED = 60


class Duel:
    """Both versions of one bench, measured in turn on the same CPU."""

    def __init__(self, match: Match, terms: Terms, lengths: Lengths, draw: Random) -> None:
        """Measure the sides of `match` by `terms`, in lives of `lengths` and in orders that `draw` decides."""
        self._bench_id = match.bench_id
        self._sides = match.sides
        self._terms = terms
        self._lengths = lengths
        self._couples = Couples(match.bench_id, match.sides, terms, Random(draw.randrange(2**64)))  # noqa: S311
        self._draw = draw
        self._bets = 0
        self._begin_s = 0.0
        self._has_companions = False
        self._pairs = self._retaken = self._verified_until = 0
        self._evidence: tuple[list[Evidence], list[Evidence]] = ([], [])

    def __enter__(self) -> Self:
        """Be ended by the end of a `with`."""
        self._couples.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the workers."""
        self._couples.__exit__(kind, error, trace)

    @property
    def bets_a_life(self) -> int:
        """How often what a life yields may be called."""
        return BETS_OF_COMMANDS if self._fresh_samples else 1

    @property
    def _fresh_samples(self) -> bool:
        return all(isinstance(side.address, CommandAddress) for side in self._sides)

    @contextmanager
    def life(self) -> Iterator[Callable[[], tuple[Drawn, ...]]]:
        """Start a fresh worker for each side and yield what takes the pairs of one bet.

        Raises:
            GuardError: a side could not be set up, crashed, hung, or did not do what it claims; names both.

        """
        started = perf_counter()
        pairs = 1 if self._fresh_samples else self._lengths.next()
        couple = self._couples.take(pairs)
        try:
            self._couples.begin(couple, pairs)
            self._warm_up(couple)
            self._begin_s = perf_counter() - started - self._couples.waited_s
            yield lambda: self._bet(couple, pairs)
            if self._pairs >= self._verified_until:
                self._verified_until = self._pairs + PAIRS_A_VERIFICATION
                for index, side in enumerate(self._sides):
                    with blaming(self._bench_id, side, "verification"):
                        couple.workers[index].ask(Verify(), Verified, self._terms.timeout_s)
        except BaseException:
            self._couples.drop(couple)
            raise
        self._couples.put_away(couple)

    def _warm_up(self, couple: Couple) -> None:
        """Take the pairs of a life that do not count."""
        ends = perf_counter() + WARM_UP_LIMIT_S
        for _ in range(self._uncounted_pairs):
            self._both(couple.workers, couple.order)
            if perf_counter() > ends:
                return

    @property
    def _uncounted_pairs(self) -> int:
        if self._has_companions:
            return WARM_UPS_WITH_COMPANION
        last_ns = [evidence[-1].elapsed_ns for evidence in self._evidence if evidence]
        return 0 if self._fresh_samples or min(last_ns, default=0) > LONG_SAMPLE_NS else WARM_UPS

    def _bet(self, couple: Couple, count: int) -> tuple[Drawn, ...]:
        started = perf_counter()
        order = drawn_order(self._draw) if self._fresh_samples else couple.order
        pairs = tuple(self._pair(couple, order) for _ in range(count))
        self._bets += 1
        # A figure that has no ratio is told of by whoever gets the pairs.
        if all(pair.old > 0 < pair.new for pair in pairs):
            life = [Pair(old=pair.old, new=pair.new, new_first=pair.new_first) for pair in pairs]
            spent = Spent(
                begin_s=self._begin_s,
                pairs_s=perf_counter() - started,
                next_s=self._couples.next_s,
                nest_s=self._couples.nest_s,
            )
            self._lengths.learn(life, spent)
        return pairs

    def _pair(self, couple: Couple, order: tuple[int, int]) -> Drawn:
        """Take a pair, again while it is disturbed."""
        retaken = 0
        while True:
            old, new = self._both(couple.workers, order)
            if self._retaken >= MOST_RETAKEN * self._pairs or not self._disturbed(old, new):
                break
            retaken += 1
            self._retaken += 1
        self._pairs += 1
        return Drawn(
            old=old.value,
            new=new.value,
            new_first=order[0] == 1,
            life=self._bets,
            retaken=retaken,
            forked=couple.nest is not None,
        )

    def _both(self, workers: dict[int, Worker], order: tuple[int, int]) -> tuple[Taken, Taken]:
        taken: dict[int, Taken] = {}
        for index in order:
            with blaming(self._bench_id, self._sides[index], "sample"):
                taken[index] = workers[index].ask(Sample(), Taken, self._terms.timeout_s)
        for index, evidence in enumerate(self._evidence):
            evidence.append(taken[index].evidence)
            del evidence[:-_REMEMBERED]
            self._has_companions |= taken[index].evidence.companion_cpu_ns is not None
        return taken[0], taken[1]

    def _disturbed(self, old: Taken, new: Taken) -> bool:
        """Return whether a CPU was taken from either; each side is judged by what is usual for itself."""
        return any(
            _shows(taken.evidence, usual_of(evidence))
            for taken, evidence in zip((old, new), self._evidence, strict=True)
        )


def _shows(evidence: Evidence, usual: Usual) -> bool:
    """Return whether a CPU was taken for so long that it shows in a pair.

    A system's own threads take it for some microseconds every few samples, and pairs spread no wider for it. How long
    it was is known where the thread never waited; where it is not, how often has to do.
    """
    if evidence.cpu_ns is None or evidence.voluntary_switches != 0 or evidence.shared_cpu:
        return is_disturbed(evidence, usual)
    return lost_ns(evidence, usual) > TOLERATED_LOSS * evidence.elapsed_ns
