"""Which commit is judged next, and which are still suspects. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: `good` and `bad` are as the good and the bad end; `skip` could not be judged.
Answer = Literal["good", "bad", "skip"]


def suspects(commits: Sequence[str], answers: Mapping[str, Answer]) -> tuple[str, ...]:
    """Return the commits of which one is the first bad one: a single one where it is found.

    `commits` follow the good end, oldest first. The last one is the bad end, whatever its answer.
    """
    low, high = _bounds(commits, answers)
    return tuple(commits[low : high + 1])


def next_commit(commits: Sequence[str], answers: Mapping[str, Answer]) -> str | None:
    """Return the commit that halves the suspects best, or None if no commit can narrow them further."""
    low, high = _bounds(commits, answers)
    # Whether the last of them is bad is known.
    open_ones = [at for at in range(low, high) if commits[at] not in answers]
    # With `at` good, those after it are left; with it bad, those up to it.
    best = min(open_ones, key=lambda at: (max(high - at, at - low + 1), at), default=None)
    return None if best is None else commits[best]


def _bounds(commits: Sequence[str], answers: Mapping[str, Answer]) -> tuple[int, int]:
    """Return the places of the first and the last suspect; the earliest bad one wins where answers contradict."""
    bad = [at for at, commit in enumerate(commits) if answers.get(commit) == "bad"]
    high = min([*bad, len(commits) - 1])
    good = [at for at, commit in enumerate(commits[:high]) if answers.get(commit) == "good"]
    return max([*good, -1]) + 1, high
