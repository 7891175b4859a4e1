from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aether_harness.sweep.pareto import pareto_mask

figures = st.floats(0, 10, allow_nan=False) | st.integers(0, 3).map(float)


def test_what_nobody_beats_in_both_is_on_the_front() -> None:
    points = [(1.0, 9.0), (2.0, 5.0), (3.0, 5.0), (4.0, 6.0), (5.0, 1.0), (1.0, 10.0)]
    assert pareto_mask(points) == [True, True, False, False, True, False]


def test_equal_points_are_on_it_together_and_none_are_no_front() -> None:
    assert pareto_mask([(1.0, 1.0), (1.0, 1.0)]) == [True, True]
    assert pareto_mask([]) == []


@given(st.lists(st.tuples(figures, figures), max_size=30))
def test_a_point_is_on_the_front_exactly_if_no_other_dominates_it(points: list[tuple[float, float]]) -> None:
    def dominated(point: tuple[float, float]) -> bool:
        return any(other != point and other[0] <= point[0] and other[1] <= point[1] for other in points)

    assert pareto_mask(points) == [not dominated(point) for point in points]
