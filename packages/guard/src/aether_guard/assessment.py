"""What is known of one bench before its verdict."""

from __future__ import annotations

from msgspec import Struct

from aether_guard.estimate import Estimate
from aether_guard.policy import Policy
from aether_guard.ruler import Ruler
from aether_schema import Summary


class Assessment(Struct, frozen=True, kw_only=True):
    """All that is known of one bench before the verdict, which depends on the other benches too.

    `raw` and `ruled` are estimates from the samples as they came and by the ruler. `doubt` says why none of
    them may decide, `problem` why the two sides cannot be compared at all.
    """

    baseline: Summary
    current: Summary
    policy: Policy
    gate: float
    change: float = 0.0
    raw: Estimate | None = None
    ruled: Estimate | None = None
    ruler: Ruler | None = None
    differing: tuple[str, ...] = ()
    doubt: str | None = None
    problem: str | None = None

    @property
    def deciding(self) -> Estimate | None:
        """The better evidence, which is the surer one; None for the plain rule.

        That is mostly the one by the ruler. A ruler that does not follow its bench brings more into the figures
        than it takes out, and is then left.
        """
        if self.raw is None or self.ruled is None:
            return self.raw
        return min(self.ruled, self.raw, key=lambda found: found.reach)
