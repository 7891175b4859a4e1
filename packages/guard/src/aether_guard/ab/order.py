"""What going second in a pair costs over going first, and pairs without it. Pure.

The coin lets it fall on either side alike, so that leaving it in is right, but noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aether_guard.ab.spread import bounded_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_guard.ab.bet import Pair

#: Until pairs tell, it is expected to cost nothing. That counts as so many of them.
EXPECTED_PAIRS = 8


class Orders:
    """Pairs of either order, and what this costs."""

    def __init__(self) -> None:
        """Begin without a pair."""
        self._seen: dict[bool, list[float]] = {True: [], False: []}
        self._cost = 0.0

    def log_ratios(self, life: Sequence[Pair]) -> tuple[float, ...]:
        """Return how many times more the new ones cost, as logarithms, less what their order is known to cost."""
        return tuple(pair.log_ratio + (self._cost if pair.new_first else -self._cost) for pair in life)

    def add(self, life: Sequence[Pair]) -> None:
        """Learn from one more life."""
        for pair in life:
            self._seen[pair.new_first].append(pair.log_ratio)

    def look_up(self, reach: float) -> None:
        """Know from now on what the pairs so far tell, of which each log ratio counts up to `reach`."""
        self._cost = _cost_of_going_second(self._seen[True], self._seen[False], reach)


def _cost_of_going_second(new_first: Sequence[float], new_second: Sequence[float], reach: float) -> float:
    """Return half of what the log ratios of both orders differ by: a change of the code is in either."""
    if not new_first or not new_second:
        return 0.0
    difference = bounded_mean(new_second, 0.0, reach) - bounded_mean(new_first, 0.0, reach)
    pairs = len(new_first) + len(new_second)
    return difference / 2 * pairs / (pairs + EXPECTED_PAIRS)
