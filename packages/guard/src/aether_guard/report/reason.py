"""The reason for a verdict, in one sentence. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from aether_guard.check.estimate import INTERVAL_LEVEL, MAX_SAMPLES, MIN_SAMPLES_FOR_P95
from aether_guard.check.moved_functions import describe_counts
from aether_guard.check.verdict import judge
from aether_guard.report.format import format_change, format_percent, format_signed_percent
from aether_schema import printable

if TYPE_CHECKING:
    from aether_guard.check.assessment import Assessment
    from aether_guard.check.estimate import Estimate
    from aether_guard.check.moved_functions import CountChange
    from aether_guard.check.reference_following import Following

#: Smaller changes in machine speed are not reported.
_MIN_REPORTED = 0.02
_SHOWN_KEYS = 4
_MAX_VERSION_LENGTH = 60
#: Larger interval bounds carry no information and are printed as `over`.
_MAX_BOUND = 10.0


def explain(known: Assessment, *, needed: int | None, moved: str | None, counts: CountChange | None = None) -> str:
    """Return the reason for a verdict, which begins with the estimate behind it."""
    assert known.chosen is not None
    decisive, gate = known.change_decisive, known.gate
    figures = f"{known.chosen.name} {format_change(decisive, gate)}"
    if known.decisive is not None:
        normalized = ", normalized" if known.decisive is known.normalized else ""
        figures += f"{normalized} ({_bounds(known.decisive)})"
    parts = [f"{figures}, gate {format_percent(gate)}", *_other_figures(known)]
    parts += [*known.notes, *_machines(known)]
    if known.versions:
        parts.append(", ".join(_version_change(known, key) for key in known.versions))
    if known.decisive is not None:
        parts += _caveats(known, known.decisive, needed)
    if moved is not None:
        parts.append(f"mostly in phase {moved}")
    if counts is not None:
        parts.append(describe_counts(counts))
    if known.policy.waiver is not None:
        waiver = known.policy.waiver
        parts.append(f"waived up to {format_percent(waiver.gate)} until {waiver.expires}: {waiver.reason}")
    return printable("; ".join(parts))


def _other_figures(known: Assessment) -> list[str]:
    """Return the figures that did not decide the verdict, and the reason."""
    if known.raw is None:
        return []
    if known.normalized is None or known.reference_shift is None:
        differs = judge(known.change, known.gate) != judge(known.raw.change, known.gate)
        if not differs and abs(known.change - known.raw.change) <= _MIN_REPORTED:
            return []
        basis = "against the latest run of the baseline" if known.raw.runs > 1 else "over all samples pooled"
        return [f"{format_change(known.change, known.gate)} {basis}"]
    if known.ignores_reference:
        estimate = f"{format_change(known.normalized.change)} ({_bounds(known.normalized)})"
        return [f"normalized {estimate}, far less certain: the bench does not follow the reference"]
    measured = f"as measured {format_change(known.change, known.gate)}"
    speed = ""
    if abs(known.reference_shift.slowdown) >= _MIN_REPORTED:
        size = format_percent(round(abs(known.reference_shift.slowdown), 3))
        direction = "slower" if known.reference_shift.slowdown > 0 else "faster"
        speed = f", on a machine {size} {direction} by the reference"
    if not known.contradicted:
        return [f"{measured}{speed}"]
    return [
        f"as measured {format_change(known.raw.change, known.gate)} ({_bounds(known.raw)}){speed}",
        f"the reference contradicts the figures as measured, and {_not_followed(known.following)}",
    ]


def _not_followed(following: Following | None) -> str:
    if following is None:
        return "nothing shows that the bench follows it"
    correlation = round(following.correlation, 2) + 0.0  # no minus before 0
    return (
        f"the bench was not seen to follow it (correlation {correlation:.2f} over {following.count} rounds, "
        f"{following.part:.2g} times its movement)"
    )


def _machines(known: Assessment) -> list[str]:
    """Return the differences between the machines, and whether they block a verdict."""
    if not known.machine:
        if (
            known.reference_shift is None
            or not known.reference_shift.disagreement
            or not known.reference_shift.shift_uncertainty(same_machine=True)
        ):
            return []
        return [f"the two reference kernels disagree by {format_percent(round(known.reference_shift.disagreement, 3))}"]
    shown = ", ".join(known.machine[:_SHOWN_KEYS])
    more = len(known.machine) - _SHOWN_KEYS
    others = f" and {more} more" if more > 0 else ""
    parts = [f"the machines differ in {shown}{others} {known.blocking_doubt or ''}".rstrip()]
    if known.blocking_doubt is not None and known.beyond_machines:
        parts.append("but machines are assumed to differ by a factor of at most two")
    return parts


def _version_change(known: Assessment, key: str) -> str:
    """Return `python 3.11.4 before, 3.12.1 now`; for a table of versions, only the entries that differ."""
    before, after = ((side.environment or {}).get(key) for side in (known.baseline, known.current))
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [name for name in {**before, **after} if before.get(name) != after.get(name)][:_SHOWN_KEYS]
        return ", ".join(f"{name} {_short(before.get(name))} before, {_short(after.get(name))} now" for name in keys)
    return f"{key} {_short(before)} before, {_short(after)} now"


def _short(version: object) -> str:
    text = "none" if version is None else str(version)
    return text if len(text) <= _MAX_VERSION_LENGTH else f"{text[:_MAX_VERSION_LENGTH]}…"


def _bounds(estimate: Estimate) -> str:
    runs = f", from {estimate.runs} runs" if estimate.runs > 1 else ""
    return f"{format_percent(INTERVAL_LEVEL)} interval {' to '.join(map(_bound, estimate.interval))}{runs}"


def _bound(change: float) -> str:
    if abs(change) <= _MAX_BOUND:
        return format_signed_percent(change)
    return f"over {format_signed_percent(math.copysign(_MAX_BOUND, change))}"


def _caveats(known: Assessment, estimate: Estimate, needed: int | None) -> list[str]:
    parts = []
    tail = known.chosen.name if known.chosen is not None and known.chosen.is_tail else None
    unbounded = tail is not None and min(known.baseline.n, known.current.n) < MIN_SAMPLES_FOR_P95
    if needed is not None:
        count = f"over {MAX_SAMPLES:,}" if needed >= MAX_SAMPLES else f"about {needed:,}"
        minimum = f", the minimum to bound a {tail}" if unbounded and needed == MIN_SAMPLES_FOR_P95 else ""
        parts.append(f"{count} samples per side would settle it{minimum}")
        unbounded = unbounded and not minimum
    if unbounded:
        parts.append(f"at least {MIN_SAMPLES_FOR_P95} samples are needed to bound a {tail}")
    if estimate.single_process:
        parts.append("samples from one process: the interval omits differences between processes")
    return parts
