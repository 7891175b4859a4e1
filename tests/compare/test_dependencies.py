from __future__ import annotations

from aether_compare.checkout.dependencies import describe_difference


def test_versions_that_differ_are_named_and_missing_ones_too() -> None:
    old, new = {"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"}
    assert describe_difference(old, new) == "b 1 -> 2, c 1 -> none, d none -> 1"


def test_equal_sides_differ_in_nothing() -> None:
    assert describe_difference({"a": "1"}, {"a": "1"}) == ""


def test_of_many_differences_a_few_are_named_and_the_rest_counted() -> None:
    old = {f"p{number}": "1" for number in range(7)}
    assert describe_difference(old, {}).endswith("p4 1 -> none, 2 more")
