"""Count the operations of benches after their timed rounds, each in a worker of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from aether_harness.errors import in_a_line
from aether_harness.machine.scratch import scratch_folder
from aether_harness.worker.client import WorkerClient, WorkerError
from aether_harness.worker.layout import layout_of_round
from aether_harness.worker.protocol import Count, Counted, Open, Opened
from aether_schema import FigureSeries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_harness.discovery.locator import RunTarget
    from aether_harness.measure.plan import RunPlan

#: `--count auto` counts operations of at most this many seconds: counting takes some hundred times as long.
AUTO_LIMIT_S = 0.02
AUTO = ("bytecodes",)


class Counts(Struct, frozen=True, kw_only=True):
    """The counts of one bench as figures, their parts by function, and a note on counters that failed."""

    figures: dict[str, FigureSeries] = {}
    functions: dict[str, dict[str, int]] = {}
    note: str | None = None


def count_bench(target: RunTarget, plan: RunPlan, names: Sequence[str], limit_s: float | None = None) -> Counts:
    """Return the counts of a bench by the counters `names`, unless its operation takes longer than `limit_s`.

    A counter that fails is in the note.
    """
    figures: dict[str, FigureSeries] = {}
    functions: dict[str, dict[str, int]] = {}
    problems: list[str] = []
    for name in names:
        try:
            counted = _counted(target, plan, Count(counter=name, limit_s=limit_s))
        except (WorkerError, OSError) as error:
            problems.append(in_a_line(f"{name} were not counted: {error}"))
            continue
        if not counted.totals:
            continue
        if not any(counted.totals):
            problems.append(f"{name} were not counted: the operation runs in another thread or process")
            continue
        figures[name] = FigureSeries(unit=counted.unit, better="lower", values=counted.totals, exact=True)
        for function, counts in counted.functions.items():
            functions.setdefault(function, {}).update(counts)
    return Counts(figures=figures, functions=functions, note="; ".join(problems) or None)


def _counted(target: RunTarget, plan: RunPlan, request: Count) -> Counted:
    # The first round's layout has the same hash seed in every run with the same seed.
    with scratch_folder() as folder, WorkerClient(layout=layout_of_round(plan.layout_seed, 1)) as worker:
        worker.request(
            Open(
                address=target.address,
                params=msgspec.Raw(msgspec.json.encode(target.params)),
                folder=folder,
                worker_cpus=plan.assignment.worker_cpus,
                companion_cpus=plan.assignment.companion_cpus,
                iterations=1,
                time_reference=False,
            ),
            Opened,
            plan.timeout_s,
        )
        return worker.request(request, Counted, plan.timeout_s)
