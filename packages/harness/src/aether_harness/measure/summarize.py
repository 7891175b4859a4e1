"""From the rounds of a bench to its summary. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from aether_harness.worker.layout import can_fix_layouts
from aether_schema import (
    BETTER_OF_METRIC,
    SCHEMA_VERSION,
    UNIT_OF_METRIC,
    FigureSeries,
    Phase,
    Reference,
    RoundUsage,
    Summary,
    quantile,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aether_harness.benchmark.protocol import FigureValue
    from aether_harness.discovery.locator import RunTarget
    from aether_harness.measure.plan import RunPlan
    from aether_harness.measure.runner import RoundResult
    from aether_harness.worker.protocol import SampleTaken


#: Clocks that are only kept on time drift from one another by far less in a run.
CLOCK_STEP_S = 1.0


class RunMetadata(Struct, frozen=True, kw_only=True):
    """The metadata of a summary."""

    ended: datetime
    commit: str | None = None
    environment: dict[str, Any] | None = None
    readings: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()


def summarise(target: RunTarget, rounds: Sequence[RoundResult], plan: RunPlan, circumstances: RunMetadata) -> Summary:
    """Return the summary of `rounds`, of which there is at least one."""
    kept = [record.samples for record in rounds]
    samples = tuple(tuple(round_significant(taken.value) for taken in round_) for round_ in kept)
    references = tuple(tuple(round_significant(taken.required_reference_ms) for taken in round_) for round_ in kept)
    flat = [value for values in samples for value in values]
    versions = rounds[0].opened.versions
    own = median_readings([record.usage.readings for record in rounds])
    return Summary(
        bench_id=target.bench_id,
        metric=target.metric,
        unit=UNIT_OF_METRIC[target.metric],
        p50=round_significant(quantile(flat, 0.5), 9),
        p95=round_significant(quantile(flat, 0.95), 9),
        p5=round_significant(quantile(flat, 0.05), 9) if BETTER_OF_METRIC[target.metric] == "higher" else None,
        n=len(flat),
        timestamp=circumstances.ended.isoformat(timespec="seconds"),
        notes=join_notes([notes_on(rounds, plan), *circumstances.notes, rounds[-1].usage.note]),
        schema_version=SCHEMA_VERSION,
        samples=samples,
        reference=Reference(kernel=target.kernel_id, unit="ms", samples=references),
        cross_reference=Reference(
            kernel=target.cross_kernel_id,
            unit="ms",
            samples=tuple((round_significant(record.usage.required_cross_reference_ms),) for record in rounds),
        ),
        disturbed=sum(record.retaken for record in rounds),
        environment={**(circumstances.environment or {}), **({"measured": versions} if versions else {})} or None,
        params=target.params,
        phases=summarise_phases([taken for round_ in kept for taken in round_]),
        commit=circumstances.commit,
        iterations=rounds[0].opened.iterations,
        layout_seed=plan.layout_seed if can_fix_layouts() else None,
        rounds=tuple(
            RoundUsage(
                peak_memory_bytes=record.usage.peak_memory_bytes,
                user_cpu_s=record.usage.user_cpu_s,
                system_cpu_s=record.usage.system_cpu_s,
                disturbed=record.retaken,
            )
            for record in rounds
        ),
        readings={**(circumstances.readings or {}), **own} or None,
        figures=summarise_figures([record.usage.figures for record in rounds]),
    )


def summarise_figures(rounds: Sequence[Mapping[str, FigureValue]]) -> dict[str, FigureSeries] | None:
    """Return the figures that all rounds have, with a value per round."""
    names = [name for name in rounds[0] if all(name in each for each in rounds)]
    return {
        name: FigureSeries(
            unit=rounds[0][name].unit,
            better=rounds[0][name].better,
            values=tuple(round_significant(each[name].value, 12) for each in rounds),
            exact=all(each[name].exact for each in rounds),
        )
        for name in names
    } or None


def notes_on(rounds: Sequence[RoundResult], plan: RunPlan) -> str | None:
    """Join the notes for readers of the figures."""
    kept_disturbed = sum(record.kept_disturbed for record in rounds)
    kept = sum(record.wanted for record in rounds)
    busy = f"busy machine: {kept_disturbed} of {kept} samples are disturbed, the least so of those taken"
    iterations = rounds[0].opened.iterations
    wanted = plan.profile.rounds
    batched = f"each sample is {iterations} iterations, figures are per iteration"
    return join_notes(
        [
            plan.assignment.note,
            f"{len(rounds)} of {wanted} rounds, bounded by --max-time" if len(rounds) < wanted else None,
            *(record.opened.note for record in rounds),
            batched if iterations > 1 else None,
            busy if kept_disturbed else None,
        ]
    )


def notes_on_machine(cpu_quota: float | None, clock_step_s: float) -> tuple[str, ...]:
    """Return notes about the machine: a quota below one CPU, and a clock that was set.

    `clock_step_s` is the difference of the wall clock to the monotonic clock since the start of the run.
    """
    notes = []
    if cpu_quota is not None and cpu_quota < 1:
        notes.append(f"a quota of {cpu_quota:g} CPUs: the kernel stops the worker for a part of every period")
    if abs(clock_step_s) > CLOCK_STEP_S:
        notes.append(f"the clock was set by {clock_step_s:+.0f} s meanwhile; samples are timed by another one")
    return tuple(notes)


def median_readings(readings: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the medians of the readings over the rounds."""
    names = dict.fromkeys(name for each in readings for name in each)
    values = {name: [each.get(name) for each in readings] for name in names}
    return {
        name: round_significant(quantile([value for value in each if value is not None], 0.5))
        for name, each in values.items()
    }


def round_significant(figure: float, digits: int = 6) -> float:
    """Return `figure` to `digits` significant digits: finer than any clock here resolves."""
    return float(f"{figure:.{digits}g}")


def join_notes(notes: Iterable[str | None]) -> str | None:
    """Return the notes, each once, in their order, as one text."""
    return "; ".join(dict.fromkeys(filter(None, notes))) or None


def summarise_phases(samples: Iterable[SampleTaken]) -> dict[str, Phase] | None:
    """Return the quantiles in milliseconds of every phase that the samples name."""
    durations: dict[str, list[float]] = {}
    for taken in samples:
        for name, elapsed_ns in taken.phases_ns.items():
            durations.setdefault(name, []).append(elapsed_ns / 1e6)
    return {
        name: Phase(p50=round_significant(quantile(values, 0.5)), p95=round_significant(quantile(values, 0.95)))
        for name, values in durations.items()
    } or None
