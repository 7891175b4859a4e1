from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_guard.check.moved_functions import NAMED, count_change, describe_counts
from aether_schema import Summary

COUNTS = st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(0, 1000), min_size=1, max_size=8)


def summary(counts: dict[str, int] | None, python: str = "3.11.7") -> Summary:
    functions = None if counts is None else {name: {"bytecodes": count} for name, count in counts.items()}
    keys: dict[str, Any] = {"bench_id": "parse", "metric": "duration_ms", "unit": "ms", "p50": 1.0, "p95": 2.0, "n": 4}
    return Summary(**keys, timestamp="2026-01-02T03:04:05+00:00", functions=functions, environment={"python": python})


def test_the_function_that_moved_most_comes_first() -> None:
    old, new = {"a": 100, "b": 100, "c": 100}, {"a": 110, "b": 190, "c": 90}
    found = count_change(summary(old), summary(new), "regression")
    assert found is not None
    assert [(item.name, item.baseline, item.current) for item in found.functions] == [("b", 100, 190), ("a", 100, 110)]
    assert found.functions[0].share == pytest.approx(0.9)
    assert describe_counts(found) == "mostly in b 100 to 190 bytecodes, a 100 to 110 bytecodes"


def test_an_improvement_names_what_fell() -> None:
    found = count_change(summary({"a": 100, "b": 100}), summary({"a": 10, "b": 110}), "improvement")
    assert found is not None
    assert [item.name for item in found.functions] == ["a"]


def test_a_new_function_is_named() -> None:
    found = count_change(summary({"a": 100}), summary({"a": 100, "b": 50}), "regression")
    assert found is not None
    assert [(item.name, item.baseline) for item in found.functions] == [("b", 0)]


def test_equal_counts_point_elsewhere() -> None:
    found = count_change(summary({"a": 1000}), summary({"a": 1001}), "regression")
    assert found is not None
    assert describe_counts(found).startswith("the Python code ran as many bytecodes (+0.1 %): look at I/O, caches")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (summary(None), summary({"a": 1})),
        (summary({"a": 1}), summary(None)),
        (summary({"a": 1}), summary({"a": 2}, python="3.12.0")),
        (summary({"a": 0}), summary({"a": 2})),
    ],
)
def test_counts_that_cannot_be_compared_say_nothing(old: Summary, new: Summary) -> None:
    assert count_change(old, new, "regression") is None


@given(old=COUNTS, new=COUNTS)
def test_named_functions_are_few_and_moved_with_the_verdict(old: dict[str, int], new: dict[str, int]) -> None:
    found = count_change(summary(old), summary(new), "regression")
    if found is None:
        return
    assert len(found.functions) <= NAMED
    assert all(item.current > item.baseline for item in found.functions)
    assert sum(item.share for item in found.functions) <= 1 + 1e-9
