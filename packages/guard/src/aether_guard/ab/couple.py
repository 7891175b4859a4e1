"""Workers in twos, a version each: made ready when it is their turn, and ended while the next are.

They are forked by processes that have imported their version's bench; where that cannot be, on either side, those of
both are started from nothing, on other CPUs while those before them are measured. Nothing is forked, set up or torn
down then: what writes many files at once is in the way of a sample that writes one, on whichever CPU it runs.
"""

from __future__ import annotations

import os
import shutil
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from random import Random
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Self

from aether_guard.ab.inputs import Inputs
from aether_guard.ab.nest import Nests
from aether_guard.ab.terms import blaming, drawn_order
from aether_guard.error import GuardError
from aether_harness.affinity import pin_thread
from aether_harness.process import CLOSE_LIMIT_S, Worker, worker_command
from aether_harness.protocol import Close, Closed, Open, Opened
from aether_harness.scratch import scratch_folder

if TYPE_CHECKING:
    from concurrent.futures import Future

    from aether_guard.ab.nest import Nest
    from aether_guard.ab.terms import Contestant, Terms

#: Starting takes longer than a life: so many lives' workers that are not forked are on their way.
LIVES_AHEAD = 2


class Couple:
    """A worker of each side, what they write to, and where they come from if they were forked.

    `order` is who comes first in all that is done with both: what comes of being first falls on either side alike.
    """

    def __init__(self, order: tuple[int, int]) -> None:
        """Begin without a worker."""
        self.order = order
        self.workers: dict[int, Worker] = {}
        self.folders: list[str] = []
        self.nest: Nest | None = None

    def kill(self) -> None:
        """End both, whatever they are doing."""
        for worker in tuple(self.workers.values()):
            worker.kill()


class Couples:
    """Where couples come from, and where they go. Leaving its `with` ends all of them."""

    def __init__(self, bench_id: str, sides: tuple[Contestant, Contestant], terms: Terms, draw: Random) -> None:
        """Make them of `sides` by `terms`; `draw` decides their orders and hash seeds."""
        self._bench_id = bench_id
        self._sides = sides
        self._terms = terms
        self._draw = draw
        # Of its own: how many nests there are follows how long things take, and the orders do not.
        self._nests = Nests(sides, terms.assignment, Random(draw.randrange(2**64)))  # noqa: S311
        self._iterations: int | None = None
        self._ahead: deque[Future[Couple]] = deque()
        self._left: deque[Couple] = deque()
        self._all: set[Couple] = set()
        self._lock = Lock()
        self._is_over = False
        self._aside = ThreadPoolExecutor(1, initializer=lambda: pin_thread(terms.assignment.companion_cpus))
        self._stack = ExitStack()
        self._folder = ""
        self._inputs: Inputs | None = None
        self._opened = 0
        #: How long beginning waited for the processes that the next couple is forked by.
        self.waited_s = 0.0
        #: How long starting a couple took, once what it is forked by was there.
        self.next_s = 0.0

    def __enter__(self) -> Self:
        """Make room for what workers write."""
        self._folder = self._stack.enter_context(scratch_folder())
        self._inputs = Inputs(self._folder)
        return self

    def __exit__(self, *_: object) -> None:
        """End what waits."""
        for future in self._ahead:
            future.cancel()
        with self._lock:
            self._is_over = True
            couples = tuple(self._all)
        # What is still being waited for ends with it.
        for couple in couples:
            couple.kill()
        self._nests.kill()
        self._aside.shutdown(cancel_futures=True)
        self._nests.kill()
        self._stack.close()

    @property
    def nest_s(self) -> float:
        """How long the processes that fork couples are in coming, at the least; 0 where nobody forks."""
        return self._nests.nest_s

    def take(self, pairs: int) -> Couple:
        """Return the next couple, for so many pairs if it is the first.

        Raises:
            GuardError: a side could not be set up; names both.

        """
        return (self._ahead.popleft() if self._ahead else self._aside.submit(self._make, pairs)).result()

    def begin(self, couple: Couple, pairs: int) -> None:
        """Have a couple ready where it is measured; meanwhile end the one before it, and start one that follows.

        That one is started for as many `pairs` as this one is for, which it will have if lives stay as long.

        Raises:
            GuardError: a side could not be set up; names both.

        """
        tidied = [self._aside.submit(self.drop, self._left.popleft()) for _ in range(len(self._left))]
        is_forked = couple.nest is not None
        lives_ahead = 1 if is_forked else LIVES_AHEAD if self._terms.others_cpus else 0
        while len(self._ahead) < lives_ahead:
            self._ahead.append(self._aside.submit(self._make, pairs))
        try:
            self._open_both(couple)
        except GuardError:
            # What comes up on all CPUs is in the way of the next bench.
            wait(self._ahead)
            raise
        for future in tidied:
            future.result()
        started = perf_counter()
        if is_forked:
            wait(self._ahead)
        self.waited_s = perf_counter() - started

    def put_away(self, couple: Couple) -> None:
        """Tear a couple down; it is ended when the next one begins.

        Raises:
            GuardError: a side could not be torn down; names both.

        """
        self._left.append(couple)
        for index in couple.order:
            with blaming(self._bench_id, self._sides[index], "tear-down"):
                couple.workers[index].ask(Close(), Closed, CLOSE_LIMIT_S)

    def drop(self, couple: Couple) -> None:
        """End a couple of which something has gone wrong."""
        couple.kill()
        self._remove(couple)

    def _make(self, pairs: int) -> Couple:
        """Start both workers, alike in all that is not the code."""
        couple = Couple(drawn_order(self._draw))
        couple.nest = self._nests.begin_life(pairs)
        nurseries = (None, None) if couple.nest is None else couple.nest.nurseries
        env = {"PYTHONHASHSEED": str(self._draw.randrange(2**32))}
        started = perf_counter()
        for index in couple.order:
            side = self._sides[index]
            # Whoever ends all finds either the worker or nobody who starts it.
            with self._lock, blaming(self._bench_id, side, "start"):
                if self._is_over:
                    raise GuardError(f"{self._bench_id}: it is over")
                self._all.add(couple)
                command = worker_command(side.python)
                couple.workers[index] = Worker(command, side.changes | env, side.folder, nurseries[index])
        self.next_s = perf_counter() - started
        return couple

    def _open_both(self, couple: Couple) -> None:
        assert self._inputs is not None
        for index in couple.order:
            self._open(couple, index, self._inputs.of(index))
        self._inputs.settle()

    def _open(self, couple: Couple, index: int, inputs: str | None) -> None:
        side, worker, assignment = self._sides[index], couple.workers[index], self._terms.assignment
        with blaming(self._bench_id, side, "start"):
            folder = self._new_folder()
            couple.folders.append(folder)
            worker.__enter__()
        with blaming(self._bench_id, side, "set-up"):
            opened = worker.ask(
                Open(
                    address=side.address,
                    params=side.params,
                    folder=folder,
                    worker_cpus=assignment.worker_cpus,
                    companion_cpus=assignment.companion_cpus,
                    iterations=self._iterations,
                    ruler=False,
                    inputs=inputs,
                ),
                Opened,
                self._terms.timeout_s,
            )
        # What the first worker found out holds for all: figures that are compared are made alike.
        self._iterations = opened.iterations

    def _remove(self, couple: Couple) -> None:
        """Remove what an ended couple has left, if nobody did."""
        with self._lock:
            if couple not in self._all:
                return
            self._all.remove(couple)
        if couple.nest is not None:
            self._nests.end_life(couple.nest)
        for folder in couple.folders:
            shutil.rmtree(folder, ignore_errors=True)

    def _new_folder(self) -> str:
        self._opened += 1
        # Of the same length for all.
        path = os.path.join(self._folder, f"{self._opened:06d}")
        os.mkdir(path)
        return path
