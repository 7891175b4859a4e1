"""From the rounds of a bench to its summary. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aether_harness.parameter import params_as_scalars
from aether_schema import SCHEMA_VERSION, UNIT_OF_METRIC, Phase, Summary, quantile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from aether_harness.plan import Plan
    from aether_harness.run import RoundRecord, Target


def summarise(
    target: Target, rounds: Sequence[RoundRecord], plan: Plan, *, ended: datetime, commit: str | None
) -> Summary:
    """Return the summary of `rounds`, of which there is at least one."""
    samples = tuple(tuple(rounded(taken.value) for taken in record.samples) for record in rounds)
    kept = [value for values in samples for value in values]
    return Summary(
        bench_id=target.found.bench.bench_id,
        metric=target.found.bench.metric,
        unit=UNIT_OF_METRIC[target.found.bench.metric],
        p50=rounded(quantile(kept, 0.5), 9),
        p95=rounded(quantile(kept, 0.95), 9),
        n=len(kept),
        timestamp=ended.isoformat(timespec="seconds"),
        notes=combined_notes([plan.assignment.note, *(record.note for record in rounds)]),
        schema_version=SCHEMA_VERSION,
        samples=samples,
        params=params_as_scalars(target.params),
        phases=summarise_phases(rounds),
        commit=commit,
    )


def rounded(figure: float, digits: int = 6) -> float:
    """Return `figure` to `digits` significant digits: finer than any clock here resolves."""
    return float(f"{figure:.{digits}g}")


def combined_notes(notes: Iterable[str | None]) -> str | None:
    """Return the notes, each once, in their order, as one text."""
    return "; ".join(dict.fromkeys(filter(None, notes))) or None


def summarise_phases(rounds: Sequence[RoundRecord]) -> dict[str, Phase] | None:
    """Return the quantiles in milliseconds of every phase that the samples name."""
    durations: dict[str, list[float]] = {}
    for record in rounds:
        for taken in record.samples:
            for name, elapsed_ns in taken.phases_ns.items():
                durations.setdefault(name, []).append(elapsed_ns / 1e6)
    return {
        name: Phase(p50=rounded(quantile(values, 0.5)), p95=rounded(quantile(values, 0.95)))
        for name, values in durations.items()
    } or None
