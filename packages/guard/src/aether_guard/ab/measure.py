"""Taking pairs for real: which CPUs, two workers a bench, and everybody else off their CPU."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from random import Random
from typing import TYPE_CHECKING

from aether_guard.ab.contest import Contested, Watcher, contest
from aether_guard.ab.duel import Duel
from aether_guard.ab.length import TAIL_LENGTH, Always, Soonest
from aether_guard.ab.terms import Terms
from aether_guard.error import GuardError
from aether_harness.affinity import allowed_cpus, assign_cpus, go_first, pin, pin_thread
from aether_harness.error import HarnessError
from aether_harness.interrupt import held_back

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aether_guard.ab.terms import Match


def plan_terms(cpus: Sequence[int], timeout_s: float) -> Terms:
    """Return the terms both sides are measured on, and move this process off the workers' CPU.

    Raises:
        GuardError: a CPU is not to be had.

    """
    try:
        terms = Terms(assignment=assign_cpus(allowed_cpus(), cpus), timeout_s=timeout_s)
    except HarnessError as error:
        raise GuardError(str(error)) from None
    pin(terms.assignment.companion_cpus)
    # Between two samples the workers wait for this process.
    go_first()
    return terms


def measure(
    benches: Sequence[tuple[Contested, Match]], terms: Terms, seed: int, budget_s: float, watcher: Watcher
) -> None:
    """Take pairs of every bench until all are decided or the time is over."""
    draw = Random(seed)  # noqa: S311 - orders, not secrets
    with ExitStack() as stack:
        with held_back():
            duels = [
                (contested, stack.enter_context(duel_of(contested, match, terms, Random(draw.randrange(2**64)))))  # noqa: S311
                for contested, match in benches
            ]
        stack.enter_context(on_their_cpu(terms))
        contest(duels, budget_s, watcher)


@contextmanager
def on_their_cpu(terms: Terms) -> Iterator[None]:
    """Have this thread, which asks, share the workers' CPU, and do the rest on the others.

    It sleeps while they measure. On another CPU it would have to be woken there, and a CPU with nothing to do takes
    some 40 us to wake, as does the workers' own meanwhile.
    """
    pin_thread(terms.assignment.worker_cpus)
    try:
        yield
    finally:
        pin_thread(terms.assignment.companion_cpus)


def duel_of(contested: Contested, match: Match, terms: Terms, draw: Random) -> Duel:
    """Return where the pairs of a bench come from."""
    if contested.question.rule.quantile == "p95":
        return Duel(match, terms, Always(TAIL_LENGTH), draw)
    return Duel(match, terms, Soonest(contested.trial.distance), draw)
