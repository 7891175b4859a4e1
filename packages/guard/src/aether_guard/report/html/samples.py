"""Blocks of the page about samples: as measured, normalized, and by round."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from aether_guard.check.reference import reference_shift
from aether_guard.report.html.host import median
from aether_guard.report.html.markup import block
from aether_guard.report.html.svg import (
    BAR_KEY,
    MAX_DOTS,
    MAX_ROUNDS,
    BarRow,
    SampleSeries,
    bar_list,
    round_ranges,
    strip_plot,
)

if TYPE_CHECKING:
    from aether_guard.check.verdict import Judgement
    from aether_guard.report.html.markup import Html
    from aether_guard.report.html.summary_pair import SummaryPair
    from aether_schema import Rounds, Statistic, Summary


def samples_block(judgement: Judgement, sides: SummaryPair) -> Html | None:
    """Return the samples of both sides, or a bar for each figure if there are no samples."""
    series = _series(sides)
    if series:
        largest = max(len(side.values) for side in series)
        thinned = f" {MAX_DOTS} of {largest:,} per side are drawn, evenly over all ranks." if largest > MAX_DOTS else ""
        caption = f"One mark per sample: circles for the baseline, squares for current. Time runs downwards.{thinned}"
        return block("Samples", strip_plot(series, sides.named[0][1].unit), caption=caption)
    if sides.both is not None:
        before, after = sides.both
        names: tuple[Statistic, ...] = ("mean", "p50", "p95")
        rows = [BarRow(name, before.statistic(name), after.statistic(name)) for name in names]
        rows = [row for row in rows if row.baseline is not None or row.current is not None]
        return block("Figures as bars", bar_list(rows, before.unit), caption=BAR_KEY)
    if not sides.named and judgement.baseline is not None and judgement.quantile is not None:
        rows = [BarRow(judgement.quantile, judgement.baseline, judgement.current)]
        caption = f"{BAR_KEY} The summaries could not be read again: these are the judged figures."
        return block("Figures as bars", bar_list(rows, judgement.unit or ""), caption=caption)
    return None


def normalized_block(sides: SummaryPair) -> Html | None:
    """Return the normalized samples, scaled to the machine speed of the baseline."""
    if sides.both is None or reference_shift(*sides.both) is None:
        return None
    baseline, current = sides.both
    assert baseline.reference is not None
    standard = median(baseline.reference)
    series = [
        SampleSeries("baseline", _normalize(baseline, standard)),
        SampleSeries("current", _normalize(current, standard)),
    ]
    if not all(math.isfinite(value) for side in series for value in side.values):
        return None
    caption = "Each sample normalized by the reference timed next to it, at the machine speed of the baseline."
    return block("Normalized samples", strip_plot(series, baseline.unit), caption=caption)


def rounds_block(sides: SummaryPair) -> Html | None:
    """Return a column per round, or None if no side has several rounds."""
    series = _series(sides)
    if all(len(side.rounds) == 1 for side in series):
        return None
    largest = max(len(side.rounds) for side in series)
    thinned = f" At most {MAX_ROUNDS} of {largest:,} are drawn, evenly spaced." if largest > MAX_ROUNDS else ""
    caption = f"One column per round (a fresh process): smallest to largest sample, marked at the p50.{thinned}"
    return block("Rounds", round_ranges(series, sides.named[0][1].unit), caption=caption)


def _series(sides: SummaryPair) -> list[SampleSeries]:
    """Return the samples of the present sides; empty unless all have samples of the same metric and unit."""
    if len(sides.named) > 1 and sides.both is None:
        return []
    series = [SampleSeries(name, summary.samples or ()) for name, summary in sides.named]
    return series if all(side.values for side in series) else []


def _normalize(summary: Summary, standard: float) -> Rounds:
    """Scale the samples to a machine on which the reference takes `standard`."""
    assert summary.samples is not None
    assert summary.reference is not None
    lower = summary.lower_is_better
    return tuple(
        tuple(
            value * (standard / reference if lower else reference / standard)
            for value, reference in zip(*pair, strict=True)
        )
        for pair in zip(summary.samples, summary.reference.samples, strict=True)
    )
