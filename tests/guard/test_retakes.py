from __future__ import annotations

import pytest

from aether_guard.check.retakes import note_on_retaken, retaken_samples
from aether_schema import Summary


def run(retaken: int | None, n: int = 240) -> Summary:
    return Summary(
        bench_id="b",
        metric="duration_ms",
        unit="ms",
        p50=1.0,
        p95=1.0,
        n=n,
        timestamp="2026-01-01T00:00:00+00:00",
        disturbed=retaken,
    )


@pytest.mark.parametrize(("before", "after"), [(0, 0), (3, 9), (200, 210), (None, 100), (100, None), (0, 9)])
def test_a_difference_that_chance_explains_is_no_note(before: int | None, after: int | None) -> None:
    assert note_on_retaken(run(before), run(after)) is None


@pytest.mark.parametrize(("before", "after"), [(0, 20), (200, 20), (3, 200)])
def test_a_difference_beyond_chance_is_noted_with_both_counts(before: int, after: int) -> None:
    assert note_on_retaken(run(before), run(after)) == (
        f"samples retaken because the CPU was taken away: {before} of {before + 240} in the baseline, "
        f"{after} of {after + 240} now"
    )


def test_the_counts_are_those_of_both_sides_or_none() -> None:
    assert retaken_samples(run(3), run(4)) == (3, 4)
    assert retaken_samples(run(3), run(None)) is None
