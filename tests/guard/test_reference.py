from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from aether_guard.check.reference import ReferenceShift, environment_differences, reference_shift

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether_schema import Summary

ROUNDS = [[10.0] * 3] * 2


def test_the_ruler_says_by_how_much_the_machine_is_slower(sampled: Callable[..., Summary]) -> None:
    baseline = sampled(ROUNDS, rulers=[[0.4, 0.4, 9.0], [0.4, 0.4, 0.1]])
    current = sampled(ROUNDS, rulers=[[0.5] * 3] * 2)
    assert reference_shift(baseline, current) == ReferenceShift(shift=pytest.approx(math.log(1.25)), disagreement=None)
    ruler = reference_shift(current, baseline)
    assert ruler is not None
    assert ruler.slowdown == pytest.approx(-0.2)


@pytest.mark.parametrize("crossed", [0.3, 0.45])
def test_a_second_kernel_says_how_far_the_first_is_to_be_trusted(
    sampled: Callable[..., Summary], crossed: float
) -> None:
    baseline = sampled(ROUNDS, rulers=[[0.4] * 3] * 2, crossing=[0.3, 0.3])
    current = sampled(ROUNDS, rulers=[[0.6] * 3] * 2, crossing=[crossed, crossed])
    there, back = reference_shift(baseline, current), reference_shift(current, baseline)
    assert there is not None
    assert back is not None
    assert there.disagreement == pytest.approx(abs(math.log(1.5) - math.log(crossed / 0.3)), abs=1e-12)
    assert back.disagreement == pytest.approx(there.disagreement)


def test_a_second_kernel_on_one_side_only_says_nothing(sampled: Callable[..., Summary]) -> None:
    baseline = sampled(ROUNDS, rulers=[[0.4] * 3] * 2, crossing=[0.3, 0.3])
    ruler = reference_shift(baseline, sampled(ROUNDS, rulers=[[0.4] * 3] * 2))
    assert ruler == ReferenceShift(shift=0.0, disagreement=None)


def test_without_the_same_ruler_on_both_sides_there_is_none(sampled: Callable[..., Summary]) -> None:
    ruled, bare = sampled(ROUNDS, rulers=[[0.4] * 3] * 2), sampled(ROUNDS)
    other = sampled(ROUNDS, rulers=[[0.4] * 3] * 2, kernel="archive-2")
    assert [reference_shift(*pair) for pair in ((ruled, bare), (bare, ruled), (ruled, other), (bare, bare))] == [
        None
    ] * 4


def test_a_plain_value_is_not_known_to_follow_a_ruler(sampled: Callable[..., Summary]) -> None:
    value = {"metric": "value", "unit": "requests", "better": "lower"}
    ruled = sampled(ROUNDS, rulers=[[0.4] * 3] * 2, **value)
    assert reference_shift(ruled, ruled) is None


@pytest.mark.parametrize(("before", "after"), [(5e-324, 1e308), (1e308, 5e-324)])
def test_no_ruler_that_a_summary_can_hold_is_too_long_or_too_short(
    sampled: Callable[..., Summary], before: float, after: float
) -> None:
    sides = [sampled(ROUNDS, rulers=[[value] * 3] * 2) for value in (before, after)]
    ruler = reference_shift(*sides)
    assert ruler is None or (ruler.slowdown > 0) == (after > before)


@pytest.mark.parametrize(
    ("before", "after", "keys"),
    [
        ({"os": "Linux"}, {"os": "Linux"}, []),
        ({"os": "Linux", "cpu": "A"}, {"os": "Linux", "cpu": "B"}, ["cpu"]),
        ({"os": "Linux", "cpu": "A"}, {"cpu": "B", "os": "Windows"}, ["cpu", "os"]),
        ({"os": "Linux"}, {"os": "Linux", "libc": "musl"}, ["libc"]),
        ({"cores": 2}, {"cores": "2"}, ["cores"]),
        (None, {"os": "Linux"}, []),
        ({"os": "Linux"}, None, []),
        ({}, {"os": "Linux"}, []),
    ],
)
def test_the_keys_in_which_two_environments_differ_are_named(
    summary: Callable[..., Summary], before: dict[str, Any] | None, after: dict[str, Any] | None, keys: list[str]
) -> None:
    assert environment_differences(summary(environment=before), summary(environment=after)) == keys
