"""A verdict's reason: one sentence that a tired engineer understands. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from aether_guard.estimate import BOUNDED_SAMPLES, MOST_SAMPLES
from aether_guard.figure import percentage, signed_percentage, worse_or_better
from aether_schema import printable

if TYPE_CHECKING:
    from aether_guard.assessment import Assessment
    from aether_guard.estimate import Estimate
    from aether_guard.ruler import Ruler
    from aether_guard.verdict import Verdict

#: A machine whose speed changed by less than this is not worth a word.
_WORTH_SAYING = 0.02
_SHOWN_KEYS = 4
_LONGEST_VERSION = 60
#: A bound beyond ten times the figure is as good as none, and its digits say nothing.
_FARTHEST_BOUND = 10.0


def explain(known: Assessment, verdict: Verdict, *, needed: int | None, moved: str | None) -> str:
    """Return why the verdict is what it is, with the figures it rests on."""
    assert known.chosen is not None
    figures = f"{known.chosen.name} {worse_or_better(known.change)}"
    if known.ruled is not None and known.ruler is not None and not known.ruler_left:
        figures += _by_ruler(known.ruler, known.ruled, known.change)
    elif known.raw is not None and abs(known.raw.change - known.change) > _WORTH_SAYING:
        figures += f", {worse_or_better(known.raw.change)} by its rounds"
    if known.deciding is not None:
        figures += f" ({_bounds(known.deciding)})"
    parts = [f"{figures}, gate {percentage(known.gate)}"]
    if known.ruled is not None and known.ruler_left:
        said = f"{worse_or_better(known.ruled.change)} ({_bounds(known.ruled)})"
        parts.append(f"the ruler says {said}, far less sure: it does not follow this bench")
    parts += [*known.notes, *_machines(known)]
    if known.versions:
        parts.append(", ".join(_version_change(known, key) for key in known.versions))
    if known.deciding is not None:
        parts += _limits(known, known.deciding, verdict, needed)
    if moved is not None:
        parts.append(f"most of it in the phase {moved}")
    if known.policy.waiver is not None:
        waiver = known.policy.waiver
        parts.append(f"waived up to {percentage(waiver.gate)} until {waiver.expires}: {waiver.reason}")
    return printable("; ".join(parts))


def _machines(known: Assessment) -> list[str]:
    """Return the differences between the machines, and whether they put the verdict in doubt."""
    if not known.machine:
        if known.ruler is None or not known.ruler.disagreement or not known.ruler.doubt(same_machine=True):
            return []
        return [f"the second kernel doubts the ruler by {percentage(round(known.ruler.disagreement, 3))}"]
    shown = ", ".join(known.machine[:_SHOWN_KEYS])
    more = len(known.machine) - _SHOWN_KEYS
    others = f" and {more} more" if more > 0 else ""
    parts = [f"the machines differ in {shown}{others} {known.doubt or ''}".rstrip()]
    if known.doubt is not None and known.beyond_machines:
        parts.append("but machines are assumed to differ by a factor of at most two")
    return parts


def _version_change(known: Assessment, key: str) -> str:
    """Return `python 3.11.4 before, 3.12.1 now`; of a table of versions only the entries that differ."""
    before, after = ((side.environment or {}).get(key) for side in (known.baseline, known.current))
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [name for name in {**before, **after} if before.get(name) != after.get(name)][:_SHOWN_KEYS]
        return ", ".join(f"{name} {_short(before.get(name))} before, {_short(after.get(name))} now" for name in keys)
    return f"{key} {_short(before)} before, {_short(after)} now"


def _short(version: object) -> str:
    text = "none" if version is None else str(version)
    return text if len(text) <= _LONGEST_VERSION else f"{text[:_LONGEST_VERSION]}…"


def _bounds(found: Estimate) -> str:
    return " to ".join(map(_bound, found.interval))


def _bound(change: float) -> str:
    if abs(change) <= _FARTHEST_BOUND:
        return signed_percentage(change)
    return f"over {signed_percentage(math.copysign(_FARTHEST_BOUND, change))}"


def _by_ruler(ruler: Ruler, ruled: Estimate, change: float) -> str:
    if abs(ruler.slowdown) < _WORTH_SAYING:
        return f", {worse_or_better(ruled.change)} by the ruler"
    speed = "slower" if ruler.slowdown > 0 else "faster"
    but = "but" if (change > 0) == (ruler.slowdown > 0) else "and"
    return (
        f", {but} the ruler says this machine is {percentage(round(abs(ruler.slowdown), 3))} {speed}: "
        f"{worse_or_better(ruled.change)} adjusted"
    )


def _limits(known: Assessment, found: Estimate, verdict: Verdict, needed: int | None) -> list[str]:
    parts = []
    tail = known.chosen.name if known.chosen is not None and known.chosen.is_tail else None
    unbounded = tail is not None and min(known.baseline.n, known.current.n) < BOUNDED_SAMPLES
    if verdict == "inconclusive" and known.doubt is None and needed is not None:
        count = f"over {MOST_SAMPLES:,}" if needed >= MOST_SAMPLES else f"about {needed:,}"
        fewest = f", the fewest that bound a {tail}" if unbounded and needed == BOUNDED_SAMPLES else ""
        parts.append(f"{count} samples a side would settle it{fewest}")
        unbounded = unbounded and not fewest
    if unbounded:
        parts.append(f"fewer than {BOUNDED_SAMPLES} samples do not bound a {tail}")
    if found.single_process:
        parts.append("samples of one process: the interval leaves out the differences between processes")
    return parts
