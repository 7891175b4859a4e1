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
from aether_harness.target import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from aether_harness.evidence import Evidence

WARMUPS = 2
#: Disturbed pairs are taken again, up to this share of all: on a machine that is never quiet they are kept, for
#: the test does without a quiet machine, and wants pairs.
MOST_RETAKEN = 0.25
#: What is usual for an operation is told from its last so many samples.
_REMEMBERED = 60


class Contestant(Struct, frozen=True, kw_only=True):
    """One version of a bench: what it is called, and where and how a worker measures it."""

    side: str
    python: str
    folder: str
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
        self._lives = 0
        self._iterations: int | None = None
        self._waiting: list[Worker] = []
        self._pairs = self._retaken = 0
        self._evidence: tuple[list[Evidence], list[Evidence]] = ([], [])

    def __enter__(self) -> Self:
        """Be ended by the end of a `with`."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers that wait for their turn."""
        for worker in self._waiting:
            worker.kill()

    @contextmanager
    def life(self) -> Iterator[Callable[[], Drawn]]:
        """Start a fresh worker for each side and yield what takes a pair of them.

        Raises:
            GuardError: a side could not be set up, crashed, hung, or did not do what it claims; names both.

        """
        life, self._lives = self._lives, self._lives + 1
        with ExitStack() as stack:
            workers, self._waiting = self._waiting or self._start(), []
            for worker in workers:
                stack.callback(worker.kill)
            for side, worker in zip(self._sides, workers, strict=True):
                self._open(side, worker, stack)
            if self._terms.assignment.companion_cpus != self._terms.assignment.worker_cpus:
                # The next two come up on the other CPUs meanwhile.
                self._waiting = self._start()
            for _ in range(WARMUPS):
                self._both(workers, new_first=False)
            yield lambda: self._pair(workers, life)
            for side, worker in zip(self._sides, workers, strict=True):
                with self._blaming(side, "verification"):
                    worker.ask(Verify(), Verified, self._terms.timeout_s)

    def _start(self) -> list[Worker]:
        """Start both workers, alike in all that is not the code: hash seed and environment."""
        env = {"PYTHONHASHSEED": str(self._draw.randrange(2**32))}
        workers: list[Worker] = []
        try:
            for side in self._sides:
                with self._blaming(side, "start"):
                    workers.append(Worker(worker_command(side.python), env, side.folder))
        except BaseException:
            for worker in workers:
                worker.kill()
            raise
        return workers

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

    def _pair(self, workers: list[Worker], life: int) -> Drawn:
        """Take a pair in an order drawn anew, again while it is disturbed."""
        retaken = 0
        while True:
            new_first = self._draw.random() < 0.5
            old, new = self._both(workers, new_first=new_first)
            if self._retaken >= MOST_RETAKEN * self._pairs or not self._disturbed(old, new):
                break
            retaken += 1
            self._retaken += 1
        self._pairs += 1
        return Drawn(old=old.value, new=new.value, new_first=new_first, life=life, retaken=retaken)

    def _both(self, workers: list[Worker], *, new_first: bool) -> tuple[Taken, Taken]:
        taken: dict[int, Taken] = {}
        for index in (1, 0) if new_first else (0, 1):
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
