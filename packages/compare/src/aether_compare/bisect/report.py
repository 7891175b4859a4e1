"""The result of a search as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aether_compare.bisect.bisection import format_finding
from aether_guard.report.format import format_change, format_percent
from aether_schema import printable
from aether_schema.json_text import to_json

if TYPE_CHECKING:
    from aether_compare.bisect.bisection import BisectResult, Commit

_SHORT = 10
_MAX_SUSPECTS = 20


def render_text(hunt: BisectResult) -> str:
    """Return the commit, how it was found, and where the evidence is."""
    between = f"{hunt.bad[:_SHORT]} is {format_change(hunt.change)} than {hunt.good[:_SHORT]}"
    if len(hunt.suspects) == 1:
        (found,) = hunt.suspects
        head = f"{printable(hunt.bench)}: worse since\n\n{_commit(found)}\n"
        if found.parents > 1:
            head += (
                "\nA merge. To search what it brought along:\n"
                f"  --good {found.commit[:_SHORT]}^1 --bad {found.commit[:_SHORT]}, of a history without merges\n"
            )
    else:
        shown = "\n".join(map(_commit, hunt.suspects[:_MAX_SUSPECTS]))
        more = f"\n  and {len(hunt.suspects) - _MAX_SUSPECTS} more" if len(hunt.suspects) > _MAX_SUSPECTS else ""
        head = (
            f"{printable(hunt.bench)}: worse since one of {len(hunt.suspects)} commits; those between could not be "
            f"judged\n\n{shown}{more}\n"
        )
    steps = "\n".join(f"  {format_finding(finding)}" for finding in hunt.findings)
    judged = sum(finding.answer != "skip" for finding in hunt.findings)
    return (
        f"{head}\n{between}; worse than {format_percent(hunt.gate)} counted as bad\n{steps}\n\n"
        f"{judged} of {hunt.commits:,} commits judged; every pair is kept in {printable(hunt.evidence)}\n"
    )


def render_json(hunt: BisectResult) -> str:
    """Return the search as one JSON object."""
    return to_json(hunt)


def _commit(found: Commit) -> str:
    return printable(f"  {found.commit[:_SHORT]}  {found.date[:10]}  {found.author}: {found.subject}")
