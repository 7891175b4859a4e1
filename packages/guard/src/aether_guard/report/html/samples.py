"""What the page shows of the samples: all of them, by the ruler, and round by round."""

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
    """Return the samples of both sides, or where there are none, a bar for every figure."""
    series = _series(sides)
    if series:
        most = max(len(side.values) for side in series)
        thinned = f" {MAX_DOTS} of {most:,} a side are drawn, from every rank alike." if most > MAX_DOTS else ""
        told = f"One mark a sample: round for the baseline, square for the current side. Time runs downwards.{thinned}"
        return block("Samples", strip_plot(series, sides.named[0][1].unit), caption=told)
    if sides.both is not None:
        before, after = sides.both
        names: tuple[Statistic, ...] = ("mean", "p50", "p95")
        rows = [BarRow(name, before.statistic(name), after.statistic(name)) for name in names]
        rows = [row for row in rows if row.baseline is not None or row.current is not None]
        return block("Figures as bars", bar_list(rows, before.unit), caption=BAR_KEY)
    if not sides.named and judgement.baseline is not None and judgement.quantile is not None:
        rows = [BarRow(judgement.quantile, judgement.baseline, judgement.current)]
        told = f"{BAR_KEY} The summaries could not be read again: these are the figures the verdict rests on."
        return block("Figures as bars", bar_list(rows, judgement.unit or ""), caption=told)
    return None


def normalized_block(sides: SummaryPair) -> Html | None:
    """Return the samples as they would be had both sides run at the baseline's speed."""
    if sides.both is None or reference_shift(*sides.both) is None:
        return None
    baseline, current = sides.both
    assert baseline.reference is not None
    standard = median(baseline.reference)
    series = [SampleSeries("baseline", _ruled(baseline, standard)), SampleSeries("current", _ruled(current, standard))]
    if not all(math.isfinite(value) for side in series for value in side.values):
        return None
    told = "Each sample by the reference timed beside it, as if both sides had run at the baseline's speed."
    return block("Samples by the ruler", strip_plot(series, baseline.unit), caption=told)


def rounds_block(sides: SummaryPair) -> Html | None:
    """Return a column a round, where there is more than one."""
    series = _series(sides)
    if all(len(side.rounds) == 1 for side in series):
        return None
    most = max(len(side.rounds) for side in series)
    thinned = f" At most {MAX_ROUNDS} of {most:,} are drawn, evenly spaced." if most > MAX_ROUNDS else ""
    told = f"A round is a fresh process: a column from its smallest to its largest sample, marked at its p50.{thinned}"
    return block("Rounds", round_ranges(series, sides.named[0][1].unit), caption=told)


def _series(sides: SummaryPair) -> list[SampleSeries]:
    """Return the samples of the sides that are there; none unless all have some, and measure the same."""
    if len(sides.named) > 1 and sides.both is None:
        return []
    series = [SampleSeries(name, summary.samples or ()) for name, summary in sides.named]
    return series if all(side.values for side in series) else []


def _ruled(summary: Summary, standard: float) -> Rounds:
    """Return the samples as they would be where the reference takes `standard`."""
    assert summary.samples is not None
    assert summary.reference is not None
    lower = summary.lower_is_better
    return tuple(
        tuple(value * (standard / ruler if lower else ruler / standard) for value, ruler in zip(*pair, strict=True))
        for pair in zip(summary.samples, summary.reference.samples, strict=True)
    )
