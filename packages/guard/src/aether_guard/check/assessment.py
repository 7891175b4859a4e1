"""The assessment of one bench before its verdict."""

from __future__ import annotations

import math

from msgspec import Struct
from msgspec.structs import replace

from aether_guard.check.estimate import Estimate, to_log
from aether_guard.check.policy import Policy
from aether_guard.check.reference import TYPICAL_DISAGREEMENT, ReferenceShift
from aether_guard.check.reference_following import LEVEL, USUAL_LEVEL, Following, read_following
from aether_guard.check.statistic_choice import Choice
from aether_guard.check.verdict import judge
from aether_schema import Summary

#: The figures as measured decide if they are surer than the normalized ones by this factor. With a smaller difference,
#: chance decides which look surer, and the choice would promise too much.
PRECISION_RATIO = 1.5
_ROUNDING = 1e-9
#: Without a reference on both, machines are assumed to differ by at most a factor of two, in logarithms.
MACHINES_DIFFER = math.log(2)


class Assessment(Struct, frozen=True, kw_only=True):
    """All that is known of one bench before the verdict, which depends on the other benches too.

    `raw` and `normalized` are estimates from the samples as measured and divided by the reference. `blocking_doubt` is
    the reason why neither may decide up to a factor of two, `problem` why the two sides cannot be compared at all.
    `machine` holds the keys in which the hardware differs, `versions` the language, runtime and library versions that
    differ.
    """

    baseline: Summary
    current: Summary
    policy: Policy
    gate: float
    chosen: Choice | None = None
    change: float = 0.0
    raw: Estimate | None = None
    normalized: Estimate | None = None
    reference_shift: ReferenceShift | None = None
    machine: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    blocking_doubt: str | None = None
    problem: str | None = None

    @property
    def decisive(self) -> Estimate | None:
        """The better evidence, the normalized unless the reference is left; None for the plain rule."""
        return self.raw_in_doubt if self.normalized is None or self.ignores_reference else self.normalized

    @property
    def raw_in_doubt(self) -> Estimate | None:
        """The estimate as the figures came, with all that the reference takes out counted as an error."""
        if self.raw is None or self.normalized is None or self.reference_shift is None:
            return self.raw
        return replace(
            self.raw.with_fixed_error(self.reference_shift.shift), extra_half_width=self.normalized.extra_half_width
        )

    @property
    def processes(self) -> tuple[int, int] | None:
        """How many processes each side's samples come from; None where samples do not decide."""
        if self.decisive is None or not self.decisive.sample_size:
            return None
        return len(self.baseline.samples or ()), len(self.current.samples or ())

    @property
    def change_decisive(self) -> float:
        """The worsening on which the verdict rests."""
        return self.change if self.decisive is None else self.decisive.change

    @property
    def beyond_machines(self) -> bool:
        """Whether the bench got slower by more than two machines are assumed to differ."""
        slower = to_log(self.change_decisive, lower_is_better=self.baseline.lower_is_better)
        return slower > MACHINES_DIFFER

    @property
    def ignores_reference(self) -> bool:
        """Whether the bench does not follow the reference, which brings more into the figures than it takes out."""
        if self.normalized is None or (raw := self.raw_in_doubt) is None:
            return False
        # The second kernel's doubt is the same for both.
        return (
            raw.half_width - raw.extra_half_width
        ) * PRECISION_RATIO + _ROUNDING < self.normalized.half_width - self.normalized.extra_half_width

    @property
    def contradicted(self) -> bool:
        """Whether normalization alone makes, or hides, a regression, and the bench did not follow the reference.

        It contradicts if the whole interval of the figures as measured lies on the other side of the gate. An
        improvement that only normalization shows is doubted in the same way.
        """
        if self.raw is None or self.normalized is None or self.reference_shift is None or self.ignores_reference:
            return False
        normalized = judge(self.normalized.change, self.gate)
        raw, other = (judge(bound, self.gate) for bound in self.raw.interval)
        matters = "regression" in {raw, normalized} or normalized == "improvement"
        return raw == other != normalized and matters and not self._follows(self.reference_shift.shift)

    @property
    def following(self) -> Following | None:
        """How far the bench followed the reference; None where one of them did not move."""
        return read_following(self.baseline, self.current)

    @property
    def undecidable(self) -> bool:
        """Whether no number of samples would lead to a verdict."""
        return self.contradicted or (self.blocking_doubt is not None and not self.beyond_machines)

    def _follows(self, shift: float) -> bool:
        """Return whether the bench was seen to follow a reference that moved by `shift`."""
        is_usual = not self.machine and abs(shift) <= TYPICAL_DISAGREEMENT
        following = self.following
        return following is not None and following.is_shown(USUAL_LEVEL if is_usual else LEVEL)
