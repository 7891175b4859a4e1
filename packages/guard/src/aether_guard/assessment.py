"""What is known of one bench before its verdict."""

from __future__ import annotations

import math

from msgspec import Struct

from aether_guard.estimate import Estimate, as_log
from aether_guard.policy import Policy
from aether_guard.ruler import Ruler
from aether_guard.statistic import Choice
from aether_schema import Summary

#: The figures as they came decide where they are surer than those by the ruler by this factor. Where they are not
#: as much surer, it is luck which of the two looks it, and the one chosen for its looks would promise too much.
MUCH_SURER = 1.5
_ROUNDING = 1e-9
#: Without a reference on both, machines are assumed to differ by at most a factor of two, in logarithms.
MACHINES_DIFFER = math.log(2)


class Assessment(Struct, frozen=True, kw_only=True):
    """All that is known of one bench before the verdict, which depends on the other benches too.

    `raw` and `ruled` are estimates from the samples as they came and by the ruler. `doubt` says why none of
    them may decide up to a factor of two, `problem` why the two sides cannot be compared at all. `machine` holds the
    keys in which the hardware differs, `versions` the language, runtime and library versions that differ.
    """

    baseline: Summary
    current: Summary
    policy: Policy
    gate: float
    chosen: Choice | None = None
    change: float = 0.0
    raw: Estimate | None = None
    ruled: Estimate | None = None
    ruler: Ruler | None = None
    machine: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    doubt: str | None = None
    problem: str | None = None

    @property
    def deciding(self) -> Estimate | None:
        """The better evidence, that by the ruler unless it is left; None for the plain rule."""
        return self.raw if self.ruled is None or self.ruler_left else self.ruled

    @property
    def processes(self) -> tuple[int, int] | None:
        """How many processes each side's samples come from; None where samples do not decide."""
        if self.deciding is None or not self.deciding.units:
            return None
        return len(self.baseline.samples or ()), len(self.current.samples or ())

    @property
    def change_decisive(self) -> float:
        """The worsening on which the verdict rests."""
        return self.change if self.deciding is None else self.deciding.change

    @property
    def beyond_machines(self) -> bool:
        """Whether the bench got slower by more than two machines are assumed to differ."""
        slower = as_log(self.change_decisive, lower_is_better=self.baseline.lower_is_better)
        return slower > MACHINES_DIFFER

    @property
    def ruler_left(self) -> bool:
        """Whether the ruler does not follow its bench: it brings more into the figures than it takes out."""
        if self.raw is None or self.ruled is None:
            return False
        # What the second kernel doubts is the same for both.
        raw, ruled = (found.reach - found.widened for found in (self.raw, self.ruled))
        return raw * MUCH_SURER + _ROUNDING < ruled
