"""Processes that fork the workers of both sides, and others in their place after a while.

What the forks of one process have in common (the layout of its addresses, its hash seed) is in all of their lives. So
it stays for a few of them only, and its successor comes up meanwhile. That what is left is small is an assumption
(docs/ab.md).
"""

from __future__ import annotations

import math
from threading import Lock
from typing import TYPE_CHECKING

from aether_guard.ab.kin import has_room
from aether_guard.ab.terms import drawn_order
from aether_harness.nursery import CAN_FORK, Nursery, NurseryError
from aether_harness.process import START_LIMIT_S
from aether_harness.target import CommandAddress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from aether_guard.ab.terms import Contestant
    from aether_harness.affinity import Assignment


class Nest:
    """A nursery for each side, started alike but for the code."""

    def __init__(self, sides: tuple[Contestant, Contestant], draw: Random) -> None:
        """Start both, with a hash seed that is drawn.

        Raises:
            NurseryError: one cannot be started.

        """
        self._nurseries: dict[int, Nursery] = {}
        self.lives = self.pairs = 0
        self.living = 0
        env = {"PYTHONHASHSEED": str(draw.randrange(2**32))}
        try:
            for index in drawn_order(draw):
                side = sides[index]
                self._nurseries[index] = Nursery(
                    side.python, side.address, side.changes | env, side.folder, side.params
                )
        except NurseryError:
            self.kill()
            raise

    @property
    def cpu_s(self) -> float:
        """How long a CPU has to work until both can fork; once they can."""
        return math.fsum(nursery.cpu_s for nursery in self._nurseries.values())

    def run_on(self, cpus: Sequence[int]) -> None:
        """Have both run on `cpus`; their forks are pinned by themselves."""
        for nursery in self._nurseries.values():
            nursery.run_on(cpus)

    def wait_until_ready(self) -> None:
        """Wait until both can fork; once.

        Raises:
            NurseryError: one cannot.

        """
        for nursery in self._nurseries.values():
            nursery.go_first()
        for nursery in self._nurseries.values():
            nursery.wait_until_ready(START_LIMIT_S)

    @property
    def nurseries(self) -> tuple[Nursery, Nursery]:
        """Where the old and the new worker of a life come from."""
        return self._nurseries[0], self._nurseries[1]

    def kill(self) -> None:
        """End both, and with them their forks."""
        for nursery in self._nurseries.values():
            nursery.kill()


class Nests:
    """One nest after the other."""

    def __init__(self, sides: tuple[Contestant, Contestant], assignment: Assignment, draw: Random) -> None:
        """Begin without one; `assignment` says where workers are measured and where all else runs."""
        self._sides = sides
        self._assignment = assignment
        self._draw = draw
        self._lock = Lock()
        self._used: list[Nest] = []
        self._next: Nest | None = None
        #: How long the next one is in coming, at the least, while others are measured; 0 where nobody forks.
        self.nest_s = 0.0
        # A command's worker does nothing itself that could be lucky, and stays for many samples.
        self._may_fork = CAN_FORK and not any(isinstance(side.address, CommandAddress) for side in sides)

    def begin_life(self, pairs: int) -> Nest | None:
        """Return the nest of the next life, of about so many pairs.

        None where either side cannot be forked, so that neither is.
        """
        if not self._may_fork:
            return None
        try:
            with self._lock:
                return self._current(pairs)
        except NurseryError:
            # Workers that are started from nothing say what is wrong, if anything is.
            self._may_fork = False
            self.nest_s = 0.0
            return None

    def _current(self, pairs: int) -> Nest:
        if not self._used or not has_room(self._used[-1].lives, self._used[-1].pairs, pairs):
            nest = self._next or Nest(self._sides, self._draw)
            self._used.append(nest)
            self._next = None
            # Nothing is measured before it is there.
            nest.run_on((*self._assignment.worker_cpus, *self._assignment.companion_cpus))
            try:
                nest.wait_until_ready()
            except NurseryError:
                nest.kill()
                raise
            nest.run_on(self._assignment.companion_cpus)
            self.nest_s = nest.cpu_s / max(1, min(2, len(self._assignment.companion_cpus)))
            self._next = Nest(self._sides, self._draw)
        nest = self._used[-1]
        nest.lives += 1
        nest.pairs += pairs
        nest.living += 1
        return nest

    def end_life(self, nest: Nest) -> None:
        """Take note that a life of a nest has ended, and end the nests that are not needed any more."""
        with self._lock:
            nest.living -= 1
            for old in self._used[:-1]:
                if not old.living:
                    old.kill()
                    self._used.remove(old)

    def kill(self) -> None:
        """End all; no further life begins."""
        self._may_fork = False
        for nest in (*self._used, self._next):
            if nest is not None:
                nest.kill()
