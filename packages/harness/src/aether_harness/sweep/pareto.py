"""The Pareto front: the points that no other point beats in both figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def pareto_mask(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Return for every point whether it is on the Pareto front; both figures are better when smaller.

    A point is on it unless another is as good in both and better in one. Equal points are on it together.
    """
    front = [False] * len(points)
    least = float("inf")
    at: float | None = None
    for index in sorted(range(len(points)), key=lambda each: points[each]):
        first, second = points[index]
        if second < least or (second == least and first == at):
            front[index] = True
            least, at = second, first
    return front
