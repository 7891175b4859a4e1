"""What is known of one bench before its verdict."""

from __future__ import annotations

import math

from msgspec import Struct
from msgspec.structs import replace

from aether_guard.estimate import Estimate, as_log
from aether_guard.following import LEVEL, USUAL_LEVEL, Following, read_following
from aether_guard.policy import Policy
from aether_guard.ruler import USUAL_DISAGREEMENT, Ruler
from aether_guard.statistic import Choice
from aether_guard.verdict import judge
from aether_schema import Summary

#: The figures as they came decide where they are surer than those by the ruler by this factor. Where they are not
#: as much surer, it is luck which of the two looks it, and the one chosen for its looks would promise too much.
MUCH_SURER = 1.5
_ROUNDING = 1e-9
#: Without a reference on both, machines are assumed to differ by at most a factor of two, in logarithms.
MACHINES_DIFFER = math.log(2)


class Assessment(Struct, frozen=True, kw_only=True):
    """All that is known of one bench before the verdict, which depends on the other benches too.

    `raw` and `ruled` are estimates from the samples as they came and by the ruler. `doubt` is the reason why neither
    may decide up to a factor of two, `problem` why the two sides cannot be compared at all. `machine` holds the keys in
    which the hardware differs, `versions` the language, runtime and library versions that differ.
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
        """The better evidence, the normalized unless the reference is left; None for the plain rule."""
        return self.raw_in_doubt if self.ruled is None or self.ruler_left else self.ruled

    @property
    def raw_in_doubt(self) -> Estimate | None:
        """The estimate as the figures came, with all that the reference takes out counted as an error."""
        if self.raw is None or self.ruled is None or self.ruler is None:
            return self.raw
        return replace(self.raw.with_fixed_error(self.ruler.shift), widened=self.ruled.widened)

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
        if self.ruled is None or (raw := self.raw_in_doubt) is None:
            return False
        # What the second kernel doubts is the same for both.
        return (raw.reach - raw.widened) * MUCH_SURER + _ROUNDING < self.ruled.reach - self.ruled.widened

    @property
    def contradicted(self) -> bool:
        """Whether normalization alone makes, or hides, a regression, and the bench did not follow the reference.

        It does where the whole interval of the figures as they came is on the other side of the gate. An improvement
        that only normalization shows is doubted likewise.
        """
        if self.raw is None or self.ruled is None or self.ruler is None or self.ruler_left:
            return False
        normalized = judge(self.ruled.change, self.gate)
        raw, other = (judge(bound, self.gate) for bound in self.raw.interval)
        matters = "regression" in {raw, normalized} or normalized == "improvement"
        return raw == other != normalized and matters and not self._follows(self.ruler.shift)

    @property
    def following(self) -> Following | None:
        """How far the bench followed the reference; None where one of them did not move."""
        return read_following(self.baseline, self.current)

    @property
    def undecidable(self) -> bool:
        """Whether no number of samples would lead to a verdict."""
        return self.contradicted or (self.doubt is not None and not self.beyond_machines)

    def _follows(self, shift: float) -> bool:
        """Return whether the bench was seen to follow a reference that moved by `shift`."""
        is_usual = not self.machine and abs(shift) <= USUAL_DISAGREEMENT
        following = self.following
        return following is not None and following.is_shown(USUAL_LEVEL if is_usual else LEVEL)
