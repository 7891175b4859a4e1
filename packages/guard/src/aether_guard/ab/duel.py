"""Two workers, one a version, asked for a sample in turn: where pairs come from."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Self

import msgspec
from msgspec import Struct

from aether_guard.ab.drawn import Drawn
from aether_guard.error import GuardError
from aether_harness.affinity import Assignment
from aether_harness.evidence import is_disturbed, usual_of
from aether_harness.process import Worker, WorkerError, worker_command
from aether_harness.protocol import Open, Opened, Sample, Taken, Verified, Verify
from aether_harness.target import Address, CommandAddress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from aether_harness.evidence import Evidence

#: So many pairs are taken of two workers before they make room for fresh ones. They are one bet together, for a
#: process's luck is in all of them.
PAIRS_A_LIFE = 5
#: Of commands every sample is a process of its own, and so every pair a bet; their workers may live longer.
BETS_OF_COMMANDS = 20
#: Starting takes longer than a life: so many lives' workers are on their way.
LIVES_AHEAD = 2
#: Whether samples did what they claim is checked in the first of so many lives.
_LIVES_A_VERIFICATION = 20
#: Disturbed pairs are taken again, up to this share of all: on a machine that is never quiet they are kept, for
#: the test does without a quiet machine, and wants pairs.
MOST_RETAKEN = 0.25
#: What is usual for an operation is told from its last so many samples.
_REMEMBERED = 60
_FAIR = 0.5


class Contestant(Struct, frozen=True, kw_only=True):
    """One version of a bench: what it is called, and where and how a worker measures it.

    `changes` are the variables set for the worker on top of this process's environment.
    """

    side: str
    python: str
    folder: str
    changes: dict[str, str] = {}
    address: Address
    params: msgspec.Raw


class Terms(Struct, frozen=True, kw_only=True):
    """What holds for both sides alike. `timeout_s` bounds each step of a worker."""

    assignment: Assignment
    timeout_s: float


class Duel:
    """Both versions of one bench, measured in turn on the same CPU."""

    def __init__(self, bench_id: str, sides: tuple[Contestant, Contestant], terms: Terms, draw: Random) -> None:
        """Measure the old version and the new one, `sides`, by `terms`, in orders that `draw` decides."""
        self._bench_id = bench_id
        self._sides = sides
        self._terms = terms
        self._draw = draw
        self._lives = self._bets = 0
        self._iterations: int | None = None
        self._waiting: list[list[Worker]] = []
        self._pairs = self._retaken = 0
        self._evidence: tuple[list[Evidence], list[Evidence]] = ([], [])

    def __enter__(self) -> Self:
        """Be ended by the end of a `with`."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers that wait for their turn."""
        for workers in self._waiting:
            for worker in workers:
                worker.kill()

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
        self._lives += 1
        with ExitStack() as stack:
            workers = self._waiting.pop(0) if self._waiting else self._start()
            for worker in workers:
                stack.callback(worker.kill)
            for index in self._order():
                self._open(self._sides[index], workers[index], stack)
            if self._terms.assignment.companion_cpus != self._terms.assignment.worker_cpus:
                # Those of the next lives come up on the other CPUs meanwhile.
                while len(self._waiting) < LIVES_AHEAD:
                    self._waiting.append(self._start())
            yield lambda: self._bet(workers)
            if self._lives % _LIVES_A_VERIFICATION == 1:
                for side, worker in zip(self._sides, workers, strict=True):
                    with self._blaming(side, "verification"):
                        worker.ask(Verify(), Verified, self._terms.timeout_s)

    def _order(self) -> tuple[int, int]:
        """Draw which side comes first, in everything."""
        return (1, 0) if self._draw.random() < _FAIR else (0, 1)

    def _bet(self, workers: list[Worker]) -> tuple[Drawn, ...]:
        count = 1 if self._fresh_samples else PAIRS_A_LIFE
        pairs = tuple(self._pair(workers) for _ in range(count))
        self._bets += 1
        return pairs

    def _start(self) -> list[Worker]:
        """Start both workers, alike in all that is not the code: hash seed and environment."""
        env = {"PYTHONHASHSEED": str(self._draw.randrange(2**32))}
        workers: dict[int, Worker] = {}
        try:
            for index in self._order():
                side = self._sides[index]
                with self._blaming(side, "start"):
                    workers[index] = Worker(worker_command(side.python), side.changes | env, side.folder)
        except BaseException:
            for worker in workers.values():
                worker.kill()
            raise
        return [workers[0], workers[1]]

    def _open(self, side: Contestant, worker: Worker, stack: ExitStack) -> None:
        with self._blaming(side, "start"):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="aether-", ignore_cleanup_errors=True))
            stack.enter_context(worker)
        with self._blaming(side, "set-up"):
            opened = worker.ask(
                Open(
                    address=side.address,
                    params=side.params,
                    folder=folder,
                    worker_cpus=self._terms.assignment.worker_cpus,
                    companion_cpus=self._terms.assignment.companion_cpus,
                    iterations=self._iterations,
                    ruler=False,
                ),
                Opened,
                self._terms.timeout_s,
            )
        # What the first worker found out holds for all: figures that are compared are made alike.
        self._iterations = opened.iterations

    def _pair(self, workers: list[Worker]) -> Drawn:
        """Take a pair in an order drawn anew, again while it is disturbed."""
        retaken = 0
        while True:
            order = self._order()
            old, new = self._both(workers, order)
            if self._retaken >= MOST_RETAKEN * self._pairs or not self._disturbed(old, new):
                break
            retaken += 1
            self._retaken += 1
        self._pairs += 1
        return Drawn(old=old.value, new=new.value, new_first=order[0] == 1, life=self._bets, retaken=retaken)

    def _both(self, workers: list[Worker], order: tuple[int, int]) -> tuple[Taken, Taken]:
        taken: dict[int, Taken] = {}
        for index in order:
            with self._blaming(self._sides[index], "sample"):
                taken[index] = workers[index].ask(Sample(), Taken, self._terms.timeout_s)
        for index, evidence in enumerate(self._evidence):
            evidence.append(taken[index].evidence)
            del evidence[:-_REMEMBERED]
        return taken[0], taken[1]

    def _disturbed(self, old: Taken, new: Taken) -> bool:
        """Return whether a CPU was taken from either; each side is judged by what is usual for itself."""
        return any(
            is_disturbed(taken.evidence, usual_of(evidence))
            for taken, evidence in zip((old, new), self._evidence, strict=True)
        )

    @contextmanager
    def _blaming(self, side: Contestant, step: str) -> Iterator[None]:
        """Say of what goes wrong whose it is and where."""
        try:
            yield
        except WorkerError as error:
            raise GuardError(f"{self._bench_id}: {side.side}: {step}: {error}") from None
        except OSError as error:
            problem = (error.strerror or str(error)).lower()
            raise GuardError(f"{self._bench_id}: {side.side}: {step}: {problem}") from None
