"""Taking pairs for real: which CPUs, two workers a bench, and everybody else off their CPU."""

from __future__ import annotations

from contextlib import ExitStack
from random import Random
from typing import TYPE_CHECKING

from aether_compare.scheduler import Comparison, ComparisonObserver, run_comparisons
from aether_compare.settings import MeasurementSettings
from aether_compare.workers.pair_sampler import PairSampler
from aether_guard.errors import GuardError
from aether_harness.errors import HarnessError
from aether_harness.machine.affinity import allowed_cpus, assign_cpus, pin, raise_priority
from aether_harness.machine.signals import held_back

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_compare.settings import VariantPair

#: A block of a tail: enough for one version to be in it more often than the other.
TAIL_PAIRS = 6


def measurement_settings(cpus: Sequence[int], timeout_s: float) -> MeasurementSettings:
    """Return the terms both sides are measured on, and move this process off the workers' CPU.

    Raises:
        GuardError: a CPU is not to be had.

    """
    try:
        terms = MeasurementSettings(assignment=assign_cpus(allowed_cpus(), cpus), timeout_s=timeout_s)
    except HarnessError as error:
        raise GuardError(str(error)) from None
    pin(terms.assignment.companion_cpus)
    # Between two samples the workers wait for this process.
    raise_priority()
    return terms


def measure(
    benches: Sequence[tuple[Comparison, VariantPair]],
    terms: MeasurementSettings,
    seed: int,
    budget_s: float,
    watcher: ComparisonObserver,
) -> None:
    """Take pairs of every bench until all are decided or the time is over."""
    draw = Random(seed)  # noqa: S311 - orders, not secrets
    with ExitStack() as stack:
        with held_back():
            samplers = [
                (comparison, stack.enter_context(pair_sampler(comparison, match, terms, Random(draw.randrange(2**64)))))  # noqa: S311
                for comparison, match in benches
            ]
        run_comparisons(samplers, budget_s, watcher)


def pair_sampler(comparison: Comparison, match: VariantPair, terms: MeasurementSettings, draw: Random) -> PairSampler:
    """Return where the pairs of a bench come from."""
    pairs_per_block = TAIL_PAIRS if comparison.question.rule.quantile == "p95" else None
    return PairSampler(match, terms, draw, pairs_per_block)
