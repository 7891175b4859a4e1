"""Reports of comparisons: JSON for programs, and an HTML page with the samples."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from aether_compare.result import ComparisonResult, ComparisonResults, sides_label
from aether_compare.scheduler import Comparison
from aether_guard.check.verdict import Judgement, Report
from aether_schema import SchemaError, Summary, quantile
from aether_schema.json_text import to_json

if TYPE_CHECKING:
    from aether_compare.pair import SamplePair


class ComparisonReport(Struct, frozen=True):
    """The outcomes of a contest, the pairs behind them, and its report."""

    outcomes: list[ComparisonResult]
    comparison: list[Comparison]
    report: Report

    def json(self) -> str:
        """Return one bench's outcome as an object, and several in a list within one."""
        document: ComparisonResult | ComparisonResults = self.outcomes[0]
        if len(self.outcomes) > 1:
            places = {judgement.bench_id: place for place, judgement in enumerate(self.report.benches)}
            worst_first = sorted(self.outcomes, key=lambda outcome: places[outcome.bench_id])
            document = ComparisonResults(
                verdict=self.report.verdict, exit_code=self.report.exit_code, benches=tuple(worst_first)
            )
        return to_json(document)

    def html(self) -> str:
        """Return the page, with the samples of both sides as if they were two summaries."""
        from aether_guard.report.html import SummaryPair, render_html

        comparisons = {comparison.question.bench_id: comparison for comparison in self.comparison}

        def sides_of(judgement: Judgement) -> SummaryPair:
            comparison = comparisons[judgement.bench_id or ""]
            question = comparison.question
            return SummaryPair(
                baseline=summary_of(comparison, "old"),
                current=summary_of(comparison, "new"),
                names=(question.old_side, question.new_side),
            )

        # The page names the sides apart from the reason.
        benches = tuple(
            replace(item, reason=item.reason.removeprefix(sides_label(comparisons[item.bench_id or ""].question)))
            for item in self.report.benches
        )
        return render_html(replace(self.report, benches=benches), sides_of)


def summary_of(comparison: Comparison, side: Literal["old", "new"]) -> Summary | None:
    """Return one side's samples as a summary, a block a round; None where they do not make one."""
    question = comparison.question

    def figure(drawn: SamplePair) -> float:
        return float(getattr(drawn, side))

    rounds = tuple(tuple(map(figure, block)) for _, block in groupby(comparison.pairs, key=lambda drawn: drawn.block))
    flat = [value for values in rounds for value in values]
    if not flat:
        return None
    try:
        return Summary(
            bench_id=question.bench_id,
            metric=question.metric,
            unit=question.unit,
            p50=quantile(flat, 0.5),
            p95=quantile(flat, 0.95),
            n=len(flat),
            better="lower" if question.metric == "value" else None,
            timestamp=datetime.now(UTC).isoformat(timespec="seconds"),
            samples=rounds,
        )
    except SchemaError:
        return None
