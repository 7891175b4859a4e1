"""The two summaries behind a judgement."""

from __future__ import annotations

from msgspec import Struct

from aether_schema import Summary


class SummaryPair(Struct, frozen=True, kw_only=True):
    """A summary a side; None where there is none, or none that can be read any more.

    `names` are what stands behind the words baseline and current, where it has names of its own.
    """

    baseline: Summary | None
    current: Summary | None
    names: tuple[str, str] | None = None

    @property
    def both(self) -> tuple[Summary, Summary] | None:
        """The two, where both are there and measure the same thing."""
        if self.baseline is None or self.current is None:
            return None
        measures = [(side.metric, side.unit, side.lower_is_better) for side in (self.baseline, self.current)]
        return (self.baseline, self.current) if measures[0] == measures[1] else None

    @property
    def named(self) -> list[tuple[str, Summary]]:
        """Those that are there, with their names."""
        sides = (("baseline", self.baseline), ("current", self.current))
        return [(name, summary) for name, summary in sides if summary is not None]
