"""The progress of a run: a bar on a terminal, one line per round elsewhere, and the table at the end."""

from __future__ import annotations

import math
import sys
from contextlib import contextmanager
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING

from aether_schema import quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.progress import Progress, TaskID

    from aether_harness.errors import RoundError
    from aether_harness.measure.plan import Profile
    from aether_harness.measure.runner import Observer, RoundResult
    from aether_schema import Summary


#: A log has no longer gap than this, and no estimate of less than SHORT_S.
SILENCE_S = 30.0
SHORT_S = 3.0


class NullObserver:
    """Prints nothing."""

    def sample_taken(self, bench_id: str, round_number: int, kept: int) -> None:
        """Do nothing."""

    def round_ended(self, bench_id: str, round_number: int, record: RoundResult) -> None:
        """Do nothing."""

    def bench_failed(self, bench_id: str, error: RoundError) -> None:
        """Do nothing: the caller of the run reports the error."""


class LogObserver(NullObserver):
    """A line per round on the error stream, for logs; at least one every SILENCE_S seconds while samples are taken."""

    def __init__(
        self,
        rounds: int,
        units: dict[str, str],
        max_time_s: float | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Count rounds out of `rounds`; `units` are the units of the benches. The run ends after `max_time_s`."""
        self._rounds = rounds
        self._units = units
        self._limit_s = math.inf if max_time_s is None else max_time_s
        self._clock = clock
        self._started = self._printed = clock()
        self._done = 0

    def sample_taken(self, bench_id: str, round_number: int, kept: int) -> None:
        """Print the place of the run if the last line is old."""
        if self._clock() - self._printed >= SILENCE_S:
            self._print(f"{bench_id}: round {round_number} of {self._rounds}: {kept} samples")

    def round_ended(self, bench_id: str, round_number: int, record: RoundResult) -> None:
        """Print the figures of the round, and the time that is left."""
        self._done += 1
        p50 = quantile((taken.value for taken in record.samples), 0.5)
        retaken = f", {record.retaken} disturbed and retaken" if record.retaken else ""
        line = f"{bench_id}: round {round_number} of {self._rounds}: p50 {p50:.5g} {self._units[bench_id]}{retaken}"
        self._print(line + self._left())

    def bench_failed(self, bench_id: str, error: RoundError) -> None:  # noqa: ARG002 - the interface's
        """Count no more rounds of this bench."""
        self._units = {name: unit for name, unit in self._units.items() if name != bench_id}

    def _left(self) -> str:
        """Return the time that is left, from the rounds so far; nothing if it is short."""
        elapsed_s = self._clock() - self._started
        waiting = len(self._units) * self._rounds - self._done
        left_s = min(elapsed_s / self._done * waiting, self._limit_s - elapsed_s)
        return f", about {format_seconds(left_s)} left" if left_s >= SHORT_S else ""

    def _print(self, line: str) -> None:
        self._printed = self._clock()
        print(line, file=sys.stderr, flush=True)


class BarObserver(NullObserver):
    """A progress bar a bench, on a terminal."""

    def __init__(self, progress: Progress, tasks: dict[str, TaskID], samples: int) -> None:
        """Draw on `progress`, whose tasks are the benches by id; a round has `samples` of them."""
        self._progress = progress
        self._tasks = tasks
        self._samples = samples

    def sample_taken(self, bench_id: str, round_number: int, kept: int) -> None:
        """Move the bar to where the run is; samples to be retaken do not move it."""
        completed = (round_number - 1) * self._samples + kept
        self._progress.update(self._tasks[bench_id], completed=completed, round=round_number)

    def bench_failed(self, bench_id: str, error: RoundError) -> None:  # noqa: ARG002 - the interface's
        """Stop the bar where it is."""
        self._progress.stop_task(self._tasks[bench_id])


@contextmanager
def progress_observer(
    profile: Profile, units: dict[str, str], *, quiet: bool, max_time_s: float | None = None
) -> Iterator[Observer]:
    """Yield the observer that fits the error stream. `units` maps bench ids to units."""
    if quiet:
        yield NullObserver()
    elif not sys.stderr.isatty():
        yield LogObserver(profile.rounds, units, max_time_s)
    else:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("round {task.fields[round]} of " + str(profile.rounds)),
            TimeRemainingColumn(),
        )
        steps = profile.rounds * profile.samples
        # Drawn four times a second: drawing costs CPU time that a shared machine takes from the bench.
        with Progress(*columns, console=Console(stderr=True), refresh_per_second=4, transient=True) as progress:
            tasks = {bench_id: progress.add_task(bench_id, total=steps, round=1) for bench_id in units}
            yield BarObserver(progress, tasks, profile.samples)


@contextmanager
def progress_counter(what: str, total: int, *, quiet: bool) -> Iterator[Callable[[], None]]:
    """Yield a function to be called when one of `total` is done: a bar on a terminal, lines elsewhere."""
    if quiet:
        yield lambda: None
    elif not sys.stderr.isatty():
        done = count(1)

        def say() -> None:
            print(f"{what} {next(done)} of {total}", file=sys.stderr, flush=True)

        yield say
    else:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), refresh_per_second=4, transient=True) as progress:
            task = progress.add_task(what, total=total)
            yield lambda: progress.advance(task)


def format_seconds(seconds: float) -> str:
    """Return `40 s`, `12 min` or `3.5 h`."""
    minute, hour = 60, 3600
    if seconds < 2 * minute:
        return f"{seconds:.0f} s"
    return f"{seconds / minute:.0f} min" if seconds < 2 * hour else f"{seconds / hour:.1f} h"


def results_table(rows: Sequence[tuple[Summary, str]]) -> str:
    """Return the table of a run's summaries and the files they are in."""
    head = ("bench", "metric", "p50", "p95", "n", "unit", "file")
    body = [(s.bench_id, s.metric, f"{s.p50:,.5g}", f"{s.p95:,.5g}", str(s.n), s.unit, path) for s, path in rows]
    return aligned_table([head, *body], right=(2, 3, 4))


def aligned_table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Return `rows` in aligned columns, two spaces apart; the columns with the indices `right` are flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = (
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
