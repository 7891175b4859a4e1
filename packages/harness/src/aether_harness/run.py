"""A run: rounds of fresh workers, the benches taking turns, until every bench has its samples."""

from __future__ import annotations

import random
import tempfile
from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec import Struct

from aether_harness.error import RoundError
from aether_harness.process import Worker, WorkerError
from aether_harness.protocol import Open, Opened, Request, Sample, Taken, Verify
from aether_harness.registry import Found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_harness.plan import Plan


class Target(Struct, frozen=True, kw_only=True):
    """A bench to run and the parameters to run it with."""

    found: Found
    params: Struct


class RoundRecord(Struct, frozen=True, kw_only=True):
    """What one round kept: its samples, and what its reader should know."""

    samples: tuple[Taken, ...]
    note: str | None = None


class Outcome(Struct, frozen=True, kw_only=True):
    """How a bench's run went: its rounds, or the error that ended it."""

    target: Target
    rounds: tuple[RoundRecord, ...] = ()
    error: RoundError | None = None


class Observer(Protocol):
    """Watches a run go by."""

    def sample_taken(self, bench_id: str, round_number: int) -> None:
        """A warm-up or a sample is done."""

    def round_ended(self, bench_id: str, round_number: int, record: RoundRecord) -> None:
        """A round is done."""

    def bench_failed(self, bench_id: str, error: RoundError) -> None:
        """A round could not be finished; the bench gets no more rounds."""


def run_targets(targets: Sequence[Target], plan: Plan, observer: Observer) -> list[Outcome]:
    """Run every target by the plan and return an outcome each, in the order given.

    The benches take turns round by round, in an order drawn anew each time from the plan's seed, so that
    a bad minute of the machine does not fall on one bench alone. A bench that fails leaves the others be.
    """
    draw = random.Random(plan.seed)  # noqa: S311 - an order, not a secret
    rounds: dict[str, list[RoundRecord]] = {target.found.bench.bench_id: [] for target in targets}
    errors: dict[str, RoundError] = {}
    for round_number in range(1, plan.profile.rounds + 1):
        for target in draw.sample(targets, len(targets)):
            bench_id = target.found.bench.bench_id
            hash_seed = draw.randrange(2**32)
            if bench_id in errors:
                continue
            try:
                record = run_round(target, plan, round_number, hash_seed, observer)
            except RoundError as error:
                errors[bench_id] = error
                observer.bench_failed(bench_id, error)
            else:
                rounds[bench_id].append(record)
                observer.round_ended(bench_id, round_number, record)
    return [
        Outcome(target=target, rounds=tuple(rounds[bench_id]), error=errors.get(bench_id))
        for target in targets
        for bench_id in [target.found.bench.bench_id]
    ]


def run_round(target: Target, plan: Plan, round_number: int, hash_seed: int, observer: Observer) -> RoundRecord:
    """Run one round of `target` in a fresh worker.

    Raises:
        RoundError: the worker could not be started, or failed at one of the steps.

    """
    bench_id = target.found.bench.bench_id
    step = "start"
    try:
        with (
            tempfile.TemporaryDirectory(prefix="aether-", ignore_cleanup_errors=True) as folder,
            Worker(env={"PYTHONHASHSEED": str(hash_seed)}) as worker,
        ):

            def ask(request: Request) -> object:
                return worker.ask(request, plan.timeout_s)

            step = "set-up"
            opened = ask(
                Open(
                    address=target.found.address,
                    params=msgspec.Raw(msgspec.json.encode(target.params)),
                    folder=folder,
                    worker_cpus=plan.assignment.worker_cpus,
                    companion_cpus=plan.assignment.companion_cpus,
                )
            )
            for number in range(1, plan.profile.warmups + 1):
                step = f"warm-up {number}"
                ask(Sample())
                observer.sample_taken(bench_id, round_number)
            samples = []
            for number in range(1, plan.profile.samples + 1):
                step = f"sample {number}"
                taken = ask(Sample())
                assert isinstance(taken, Taken)
                samples.append(taken)
                observer.sample_taken(bench_id, round_number)
            step = "verification"
            ask(Verify())
            step = "tear-down"
    except WorkerError as error:
        raise RoundError(bench_id, round_number, step, str(error)) from None
    except OSError as error:
        raise RoundError(bench_id, round_number, step, f"no scratch folder: {error}") from None
    assert isinstance(opened, Opened)
    return RoundRecord(samples=tuple(samples), note=opened.note)
