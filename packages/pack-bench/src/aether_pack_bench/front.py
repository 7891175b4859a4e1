"""Which of several packers nobody beats in both time and size."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def pareto_front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Say of every point whether it is on the Pareto front, both its figures (time, size) being better when smaller.

    A point is on it unless another is as good in both and better in one. Equal points are on it together.
    """
    front = [False] * len(points)
    least_size = float("inf")
    size_at: float | None = None
    for index in sorted(range(len(points)), key=lambda each: points[each]):
        time, size = points[index]
        if size < least_size or (size == least_size and time == size_at):
            front[index] = True
            least_size, size_at = size, time
    return front
