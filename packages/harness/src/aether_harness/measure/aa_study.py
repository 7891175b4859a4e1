"""The noise of a machine, from runs of unchanged code. Pure.

Every ordered pair of runs compares code with itself, so that each regression beyond a gate is a false alarm. A slowdown
put into the second run makes it a true one.
"""

from __future__ import annotations

import math
from itertools import permutations
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field

from aether_schema import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_harness.measure.runner import RoundResult

Treatment = Literal["raw", "rejected", "ruled"]

GATES = (0.01, 0.02, 0.05, 0.1, 0.2)
QUANTILES = {"p50": 0.5, "p95": 0.95}
RULES: dict[Treatment, str] = {
    "raw": "every sample as it came",
    "rejected": "disturbed samples retaken",
    "ruled": "retaken, and normalized",
}


class Recording(Struct, frozen=True, kw_only=True):
    """One run: its first samples, disturbed or not; the samples kept; and the reference next to these."""

    raw: tuple[tuple[float, ...], ...]
    samples: tuple[tuple[float, ...], ...]
    reference: tuple[tuple[float, ...], ...]


class Rate(Struct, frozen=True, kw_only=True):
    """The share of pairs in which a worsening of `quantile` beyond `gate` was seen, and with a slowdown put in."""

    quantile: str
    rule: Treatment
    gate: float
    false_alarms: float
    power: float


class NoiseReport(Struct, frozen=True, kw_only=True):
    """The effect of a machine's noise on the gates of one bench.

    `smallest_gates` are by quantile and rule the smallest that cry wolf in at most the share `target_rate`
    of pairs. `reference_share` is the share of the references in the time of sampling.
    """

    bench_id: str
    runs: int
    pairs: int
    slowdown: float
    target_rate: float = field(name="wished_rate")
    rates: tuple[Rate, ...]
    smallest_gates: dict[str, dict[Treatment, float]]
    reference_share: float
    cross_check_spread: float


def record(rounds: Sequence[RoundResult]) -> Recording:
    """Return the parts of a run that are kept."""
    return Recording(
        raw=tuple(tuple(taken.value for taken in round_.attempts[: round_.wanted]) for round_ in rounds),
        samples=tuple(tuple(taken.value for taken in round_.samples) for round_ in rounds),
        reference=tuple(tuple(taken.required_reference_ms for taken in round_.samples) for round_ in rounds),
    )


def assess(
    bench_id: str, runs: Sequence[Sequence[RoundResult]], *, lower_is_better: bool, slowdown: float, target_rate: float
) -> NoiseReport:
    """Return the noise report of at least two runs."""
    recordings = [record(rounds) for rounds in runs]
    rates = []
    smallest: dict[str, dict[Treatment, float]] = {}
    for name, probability in QUANTILES.items():
        for rule in RULES:
            figures = [run_cost(run, rule, probability, lower_is_better=lower_is_better) for run in recordings]
            worsenings = pair_worsenings(figures)
            smallest.setdefault(name, {})[rule] = smallest_gate(worsenings, target_rate)
            rates += [
                Rate(
                    quantile=name,
                    rule=rule,
                    gate=gate,
                    false_alarms=share_beyond(worsenings, gate),
                    power=share_beyond([(1 + change) * (1 + slowdown) - 1 for change in worsenings], gate),
                )
                for gate in GATES
            ]
    return NoiseReport(
        bench_id=bench_id,
        runs=len(runs),
        pairs=len(runs) * (len(runs) - 1),
        slowdown=slowdown,
        target_rate=target_rate,
        rates=tuple(rates),
        smallest_gates=smallest,
        reference_share=reference_share(runs),
        cross_check_spread=cross_check_spread(runs),
    )


def run_cost(recording: Recording, rule: Treatment, probability: float, *, lower_is_better: bool) -> float:
    """Return the quantile of a run by a rule, as a cost: the figure itself, or 1 over a throughput.

    Normalized means divided by the reference next to the sample; a throughput is multiplied by it.
    """
    rounds = recording.raw if rule == "raw" else recording.samples
    values = [value for values in rounds for value in values]
    if rule == "ruled":
        references = [reference for references in recording.reference for reference in references]
        values = [
            value / reference if lower_is_better else value * reference
            for value, reference in zip(values, references, strict=True)
        ]
    result = quantile(values, probability)
    return result if lower_is_better else 1 / result


def pair_worsenings(figures: Sequence[float]) -> list[float]:
    """Return the worsening of every ordered pair of costs."""
    return [after / before - 1 for before, after in permutations(figures, 2)]


def share_beyond(worsenings: Sequence[float], gate: float) -> float:
    """Return the share of `worsenings` greater than `gate`."""
    return sum(change > gate for change in worsenings) / len(worsenings)


def smallest_gate(worsenings: Sequence[float], target_rate: float) -> float:
    """Return the smallest gate, in steps of 0.1 %, beyond which at most the share `target_rate` lies."""
    ordered = sorted(worsenings, reverse=True)
    boundary = ordered[min(math.floor(target_rate * len(ordered)), len(ordered) - 1)]
    return max(0, math.ceil(boundary * 1000 - 1e-9)) / 1000


def reference_share(runs: Sequence[Sequence[RoundResult]]) -> float:
    """Return the share of both kernels in the time spent on samples and kernels together."""
    taken = [taken for rounds in runs for round_ in rounds for taken in round_.attempts]
    rulers_ns = sum(sample.reference_total_ns for sample in taken)
    return rulers_ns / max(1, rulers_ns + sum(sample.evidence.elapsed_ns for sample in taken))


def cross_check_spread(runs: Sequence[Sequence[RoundResult]]) -> float:
    """Return how far the two kernels disagree on the machine's speed: the widest run from the median run.

    Each round has a median reference time and a time of the second kernel. Their ratio is the same in every run if
    both see the same machine.
    """
    ratios = [
        quantile(
            (
                quantile((taken.required_reference_ms for taken in round_.samples), 0.5)
                / round_.usage.required_cross_reference_ms
                for round_ in rounds
            ),
            0.5,
        )
        for rounds in runs
    ]
    middle = quantile(ratios, 0.5)
    return max(abs(ratio / middle - 1) for ratio in ratios)
