"""Whether a reference can be trusted between two summaries, and how far. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_schema import quantile

if TYPE_CHECKING:
    from aether_schema import Reference, Summary

#: Two kernels may disagree this much about one and the same machine before the reference is doubted, in logarithms, and
#: its speed may change by this much from run to run.
TYPICAL_DISAGREEMENT = 0.1
#: The relative uncertainty of a correction by the reference: a busy machine slows no kernel exactly as it slows the
#: bench. Fitted on recordings of unchanged code, where it gives the interval its nominal coverage although the speed of
#: the machine differs from run to run.
CORRECTION_UNCERTAINTY = 0.125
#: Keys of the environment with the version of the measured code, its language or its build. A bench that changes
#: with them has changed: they are shown and judged. The other keys describe the machine.
VERSION_KEYS = frozenset(
    {
        "build",
        "compiler",
        "go",
        "jdk",
        "julia",
        "measured",
        "node",
        "php",
        "python",
        "python_build",
        "python_implementation",
        "runtime",
        "rustc",
        "vm",
    }
)


class ReferenceShift(Struct, frozen=True, kw_only=True):
    """The difference of two machines, or of one machine at two times, by the references.

    `shift` is the log slowdown of the current side, `disagreement` the log distance of the second kernel from it; None
    without a second kernel.
    """

    shift: float
    disagreement: float | None

    @property
    def slowdown(self) -> float:
        """The fraction by which the current machine is slower."""
        return math.expm1(min(self.shift, 700.0))

    def shift_uncertainty(self, *, same_machine: bool) -> float:
        """Return the log uncertainty of the reference: the disagreement of the second kernel, or 0 without one.

        On the same machine only an untypical disagreement counts.
        """
        usual = TYPICAL_DISAGREEMENT if same_machine else 0.0
        return max(0.0, (self.disagreement or 0.0) - usual)


def reference_shift(baseline: Summary, current: Summary) -> ReferenceShift | None:
    """Return the shift by the references, or None if the sides have different ones."""
    moved = _log_ratio(baseline.reference, current.reference)
    if moved is None or baseline.metric == "value":
        return None
    crossed = _log_ratio(baseline.cross_reference, current.cross_reference)
    return ReferenceShift(shift=moved, disagreement=None if crossed is None else abs(moved - crossed))


def correction_std_error(baseline: Summary, current: Summary, probability: float) -> float:
    """Return the standard error, in logarithms, that correcting a quantile by the reference adds."""
    moved = _log_ratio(baseline.reference, current.reference, probability)
    return CORRECTION_UNCERTAINTY * abs(moved or 0.0)


def environment_differences(baseline: Summary, current: Summary) -> list[str]:
    """Return the keys of the environment in which the two differ; none where a side has no environment."""
    before, after = baseline.environment, current.environment
    if not before or not after:
        return []
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def _log_ratio(before: Reference | None, after: Reference | None, probability: float = 0.5) -> float | None:
    if before is None or after is None or before.kernel != after.kernel:
        return None
    flat = ([value for values in side.samples for value in values] for side in (before, after))
    first, second = (quantile(values, probability) for values in flat)
    return math.log(second) - math.log(first)
