"""The order of runs in a series: by their commits if known, else by their clocks. Pure.

Clocks of machines disagree, and a commit may be measured late. Runs are ordered by the time of their commit, or by
their own time if that is unknown. Runs of commits that git knows are then put into git's order, within their places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from aether_history.row import DIRTY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class RunOrder(Struct, frozen=True, kw_only=True):
    """The places of runs, oldest first, and remarks on the order.

    `reordered` counts the runs whose own clocks contradict the order; `unknown` are commits that git does not know
    although it knows others: rebased, or not fetched.
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
