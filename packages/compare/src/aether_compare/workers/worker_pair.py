"""The two worker processes of a block, one of each version: started alike, opened, and ended together."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from aether_compare.settings import error_context
from aether_compare.workers.shared_inputs import SharedInputs
from aether_harness.machine.affinity import allowed_cpus, pin, pin_thread
from aether_harness.machine.scratch import scratch_folder
from aether_harness.machine.signals import held_back
from aether_harness.worker.client import CLOSE_LIMIT_S, WorkerClient, worker_command
from aether_harness.worker.protocol import Close, Closed, Open, Opened, Preload

if TYPE_CHECKING:
    from types import TracebackType

    from aether_compare.settings import MeasurementSettings, Variant, VariantPair
    from aether_harness.worker.client import ReplyT
    from aether_harness.worker.layout import Layout
    from aether_harness.worker.protocol import Request


class Workplace:
    """The things that all blocks of a bench share: the folders of workers, inputs, and the iterations a sample."""

    def __init__(self, match: VariantPair, terms: MeasurementSettings) -> None:
        """Measure `match` by `terms`."""
        self.match = match
        self.terms = terms
        self.iterations: int | None = None
        self._stack = ExitStack()
        self._folder = ""
        self._opened = 0
        self.inputs: SharedInputs

    def __enter__(self) -> Self:
        """Make the folder."""
        self._folder = self._stack.enter_context(scratch_folder())
        self.inputs = SharedInputs(self._folder)
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the folder."""
        self._stack.close()

    def new_folder(self) -> str:
        """Make a worker's folder; the paths of all have the same length."""
        self._opened += 1
        path = os.path.join(self._folder, f"{self._opened:06d}")
        os.mkdir(path)
        return path


class WorkerPair:
    """A worker of each version. Entering starts and opens both, leaving ends both.

    `order` is the version that comes first in all that is done with both: 0 is the old one.
    """

    def __init__(self, workplace: Workplace, layout: Layout, order: tuple[int, int]) -> None:
        """Start both in `layout`."""
        self.order = order
        self._workplace = workplace
        self._layout = layout
        self._workers: dict[int, WorkerClient] = {}
        self._folders: dict[int, str] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start both at once, each on CPUs of its own, and open them one after the other where they are measured.

        Raises:
            GuardError: a version could not be set up; names it.

        """
        assignment = self._workplace.terms.assignment
        self._stack.callback(pin_thread, allowed_cpus() or ())
        try:
            # Nothing is measured now, so that both may come up at once.
            pin_thread(assignment.companion_cpus)
            for index in self.order:
                self._start(index)
            pin(assignment.worker_cpus, self._workers[self.order[0]].pid)
            for index in self.order:
                with error_context(self._bench_id, self._side(index), "start"):
                    self._workers[index].__enter__()
            # Woken on the workers' CPU, this thread asks without the 40 us that another, idle one takes to wake.
            pin_thread(assignment.worker_cpus)
            for index in self.order:
                self._open(index)
            self._workplace.inputs.share_if_identical()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Tear both down if all went well, and end them in any case.

        Raises:
            GuardError: a version could not be torn down; names it.

        """
        try:
            if kind is None:
                self.ask_both(Close(), Closed, CLOSE_LIMIT_S, "tear-down")
        finally:
            self._stack.close()

    def ask(self, index: int, request: Request, answer: type[ReplyT], limit_s: float, step: str) -> ReplyT:
        """Return the answer of one worker.

        Raises:
            GuardError: there is none; names the version and the step.

        """
        with error_context(self._bench_id, self._side(index), step):
            return self._workers[index].request(request, answer, limit_s)

    def ask_both(self, request: Request, answer: type[ReplyT], limit_s: float, step: str) -> None:
        """Have both do something at the same time.

        Raises:
            GuardError: as for `ask`.

        """
        for index in self.order:
            with error_context(self._bench_id, self._side(index), step):
                self._workers[index].send(request, limit_s)
        for index in self.order:
            with error_context(self._bench_id, self._side(index), step):
                self._workers[index].receive(request, answer, limit_s)

    @property
    def _bench_id(self) -> str:
        return self._workplace.match.bench_id

    def _side(self, index: int) -> Variant:
        return self._workplace.match.sides[index]

    def _start(self, index: int) -> None:
        side = self._side(index)
        command = worker_command(side.python, Preload(address=side.address, params=side.params))
        with held_back(), error_context(self._bench_id, side, "start"):
            folder = self._folders[index] = self._workplace.new_folder()
            self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
            self._workers[index] = WorkerClient(command, side.changes, side.folder, self._layout)
            self._stack.callback(self._workers[index].kill)

    def _open(self, index: int) -> None:
        workplace, side = self._workplace, self._side(index)
        assignment = workplace.terms.assignment
        request = Open(
            address=side.address,
            params=side.params,
            folder=self._folders[index],
            worker_cpus=assignment.worker_cpus,
            companion_cpus=assignment.companion_cpus,
            iterations=workplace.iterations,
            time_reference=False,
            inputs=workplace.inputs.of(index),
        )
        # The first worker finds the number for all, so that both versions are measured alike.
        workplace.iterations = self.ask(index, request, Opened, workplace.terms.timeout_s, "set-up").iterations
