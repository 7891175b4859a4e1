"""In which order runs stand in a series: that of their commits where it is known, else that of their clocks. Pure.

Clocks of machines disagree, and a commit may be measured long after it was made. So the runs are put in the order of
their commits' times, or of their own where a commit's is unknown; then those whose commits git knows are put in git's
order, within the places that they have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from aether_history.row import DIRTY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class RunOrder(Struct, frozen=True, kw_only=True):
    """The places of runs, oldest first, and what was found on the way.

    `reordered` counts the runs whose own clocks say otherwise; `unknown` are commits that git does not know although it
    knows others: rebased, or not fetched.
    """

    places: tuple[int, ...]
    reordered: int
    unknown: tuple[str, ...]


def order_runs(
    timestamps: Sequence[str],
    commits: Sequence[str | None],
    commit_times: Sequence[str | None],
    known: Mapping[str, int],
) -> RunOrder:
    """Return the order of runs, which come by their timestamps; `known` are commits with their places in git's."""
    count = len(timestamps)
    by_time = sorted(range(count), key=lambda at: (commit_times[at] or timestamps[at], timestamps[at]))
    clean = [(commit or "").removesuffix(DIRTY) for commit in commits]
    slots = [slot for slot, at in enumerate(by_time) if clean[at] in known]
    ordered = sorted((by_time[slot] for slot in slots), key=lambda at: (known[clean[at]], timestamps[at]))
    places = list(by_time)
    for slot, at in zip(slots, ordered, strict=True):
        places[slot] = at
    latest, reordered = "", 0
    for at in places:
        reordered += timestamps[at] < latest
        latest = max(latest, timestamps[at])
    unknown = dict.fromkeys(name for name in clean if name and name not in known) if slots else {}
    return RunOrder(places=tuple(places), reordered=reordered, unknown=tuple(unknown))
