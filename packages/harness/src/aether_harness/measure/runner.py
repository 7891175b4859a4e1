"""A run: rounds of fresh workers, the benches taking turns, until every bench has its samples."""

from __future__ import annotations

import random
from time import monotonic
from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec import Struct

from aether_harness.discovery.locator import RunTarget
from aether_harness.errors import RoundError
from aether_harness.machine.scratch import scratch_folder
from aether_harness.measure.disturbance import (
    NONE_TYPICAL,
    TypicalDisturbance,
    attempts_limit,
    is_disturbed,
    keep_least_disturbed,
    severity,
    typical_disturbance,
)
from aether_harness.worker.client import WorkerClient, WorkerError
from aether_harness.worker.layout import Layout, layout_of_round
from aether_harness.worker.protocol import Open, Opened, SampleTaken, TakeSample, Verified, Verify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_harness.measure.disturbance import DisturbanceEvidence
    from aether_harness.measure.plan import RunPlan


class RoundResult(Struct, frozen=True, kw_only=True):
    """The result of one round: every attempt at a sample in order, disturbed or not, and the cost of the round.

    `usual` holds the counters that the operation itself causes, which are no evidence against its samples.
    """

    attempts: tuple[SampleTaken, ...]
    wanted: int
    opened: Opened
    usage: Verified
    usual: TypicalDisturbance = NONE_TYPICAL

    @property
    def samples(self) -> list[SampleTaken]:
        """The samples kept: the undisturbed ones, or if these are too few, the least disturbed ones."""
        return keep_least_disturbed(self.attempts, self.wanted, lambda taken: severity(taken.evidence, self.usual))

    @property
    def retaken(self) -> int:
        """How many attempts were taken again."""
        return len(self.attempts) - self.wanted

    @property
    def kept_disturbed(self) -> int:
        """How many of the samples kept are disturbed all the same."""
        return sum(is_disturbed(taken.evidence, self.usual) for taken in self.samples)


class BenchResult(Struct, frozen=True, kw_only=True):
    """How a bench's run went: its rounds, or the error that ended it."""

    target: RunTarget
    rounds: tuple[RoundResult, ...] = ()
    error: RoundError | None = None

    @property
    def note(self) -> str | None:
        """The bench's own sentence on the readings of all rounds."""
        return self.rounds[-1].usage.note if self.rounds else None


class Observer(Protocol):
    """Watches a run go by."""

    def sample_taken(self, bench_id: str, round_number: int, kept: int) -> None:
        """A warm-up or a sample is done; the round has `kept` undisturbed samples by now."""

    def round_ended(self, bench_id: str, round_number: int, record: RoundResult) -> None:
        """A round is done."""

    def bench_failed(self, bench_id: str, error: RoundError) -> None:
        """A round could not be finished; the bench gets no more rounds."""


def run_benches(
    targets: Sequence[RunTarget], plan: RunPlan, observer: Observer, max_time_s: float | None = None
) -> list[BenchResult]:
    """Run every target by the plan and return an outcome each, in the order given.

    After `max_time_s` no round starts, except the first round of each target.

    The benches take turns round by round, in an order that is drawn from the plan's seed for each turn, so that a bad
    minute of the machine does not affect one bench alone. A bench that fails does not affect the others.
    """
    started = monotonic()
    draw = random.Random(plan.seed)  # noqa: S311 - an order, not a secret
    iterations: dict[str, int] = {}
    rounds: dict[str, list[RoundResult]] = {target.bench_id: [] for target in targets}
    errors: dict[str, RoundError] = {}
    for round_number in range(1, plan.profile.rounds + 1):
        for target in draw.sample(targets, len(targets)):
            bench_id = target.bench_id
            is_over = max_time_s is not None and monotonic() - started > max_time_s
            if bench_id in errors or (is_over and rounds[bench_id]):
                continue
            try:
                order = RoundSpec(
                    number=round_number,
                    layout=layout_of_round(plan.layout_seed, round_number),
                    iterations=iterations.get(bench_id),
                    readings=tuple(record.usage.readings for record in rounds[bench_id]),
                )
                record = run_round(target, plan, order, observer)
            except RoundError as error:
                errors[bench_id] = error
                observer.bench_failed(bench_id, error)
            else:
                # The findings of the first round hold for all rounds, so that the figures of a run are made in the same
                # way.
                iterations[bench_id] = record.opened.iterations
                rounds[bench_id].append(record)
                observer.round_ended(bench_id, round_number, record)
    return [
        BenchResult(target=target, rounds=tuple(rounds[target.bench_id]), error=errors.get(target.bench_id))
        for target in targets
    ]


class RoundSpec(Struct, frozen=True, kw_only=True):
    """The number of a round, its memory layout, and findings of earlier rounds: iterations per sample, readings."""

    number: int
    layout: Layout
    iterations: int | None
    readings: tuple[dict[str, float], ...]


def run_round(target: RunTarget, plan: RunPlan, order: RoundSpec, observer: Observer) -> RoundResult:
    """Run one round of `target` in a fresh worker.

    Raises:
        RoundError: the worker could not be started, or failed at one of the steps.

    """
    bench_id = target.bench_id
    step = "start"
    try:
        with (
            scratch_folder() as folder,
            WorkerClient(layout=order.layout) as worker,
        ):
            step = "set-up"
            opened = worker.request(
                Open(
                    address=target.address,
                    params=msgspec.Raw(msgspec.json.encode(target.params)),
                    folder=folder,
                    worker_cpus=plan.assignment.worker_cpus,
                    companion_cpus=plan.assignment.companion_cpus,
                    iterations=order.iterations,
                ),
                Opened,
                plan.timeout_s,
            )
            taken_so_far: list[DisturbanceEvidence] = []
            for number in range(1, plan.profile.warmups + 1):
                step = f"warm-up {number}"
                taken_so_far.append(worker.request(TakeSample(), SampleTaken, plan.timeout_s).evidence)
                observer.sample_taken(bench_id, order.number, 0)
            attempts: list[SampleTaken] = []
            wanted = plan.profile.samples
            undisturbed = 0
            usual = NONE_TYPICAL
            while undisturbed < wanted and len(attempts) < attempts_limit(wanted):
                step = f"sample {len(attempts) + 1}"
                taken = worker.request(TakeSample(), SampleTaken, plan.timeout_s)
                attempts.append(taken)
                taken_so_far.append(taken.evidence)
                usual = typical_disturbance(taken_so_far)
                undisturbed = sum(not is_disturbed(attempt.evidence, usual) for attempt in attempts)
                observer.sample_taken(bench_id, order.number, min(undisturbed, wanted))
            step = "verification"
            usage = worker.request(Verify(readings=order.readings), Verified, plan.timeout_s)
            step = "tear-down"
    except WorkerError as error:
        raise RoundError(bench_id, order.number, step, str(error)) from None
    except OSError as error:
        raise RoundError(bench_id, order.number, step, f"no scratch folder: {error}") from None
    return RoundResult(attempts=tuple(attempts), wanted=wanted, opened=opened, usage=usage, usual=usual)
