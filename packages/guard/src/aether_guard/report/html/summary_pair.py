"""The two summaries behind a judgement."""

from __future__ import annotations

from msgspec import Struct

from aether_schema import Summary


class SummaryPair(Struct, frozen=True, kw_only=True):
    """The summaries of both sides; None if a side has none or it can no longer be read.

    `names` are display names of the baseline and current side, such as two revisions.
    """

    baseline: Summary | None
    current: Summary | None
    names: tuple[str, str] | None = None

    @property
    def both(self) -> tuple[Summary, Summary] | None:
        """Both summaries, or None unless both are present with the same metric and unit."""
        if self.baseline is None or self.current is None:
            return None
        measures = [(side.metric, side.unit, side.lower_is_better) for side in (self.baseline, self.current)]
        return (self.baseline, self.current) if measures[0] == measures[1] else None

    @property
    def named(self) -> list[tuple[str, Summary]]:
        """The present summaries, each with the name of its side."""
        sides = (("baseline", self.baseline), ("current", self.current))
        return [(name, summary) for name, summary in sides if summary is not None]
