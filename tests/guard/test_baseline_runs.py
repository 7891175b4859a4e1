from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from aether_guard.check.baseline_runs import keep_runs, levels_of_run
from aether_guard.check.estimate import estimate
from aether_guard.check.files import LoadedSummary
from aether_guard.errors import GuardError
from aether_schema import Levels, decode_summary, encode_summary

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether_schema import Summary


def day(number: int) -> dict[str, str]:
    return {"timestamp": f"2026-11-{number:02}T00:00:00+00:00"}


def loaded(*summaries: Summary) -> list[LoadedSummary]:
    return [LoadedSummary(f"run-{number}.json", summary) for number, summary in enumerate(summaries, start=1)]


def days(summary: Summary) -> list[int]:
    return [run.measured_at.day for run in summary.runs or ()]


def test_the_newest_of_several_runs_is_the_baseline_and_all_are_kept(summary: Callable[..., Summary]) -> None:
    kept = keep_runs(loaded(*(summary(**day(number), p50=number) for number in (2, 3, 1))), None, 5)
    assert (kept.measured_at.day, kept.p50, days(kept)) == (3, 3, [1, 2, 3])
    assert [run.p50 for run in kept.runs or ()] == [1, 2, 3]


def test_of_more_runs_than_asked_for_the_last_are_kept(summary: Callable[..., Summary]) -> None:
    assert days(keep_runs(loaded(*(summary(**day(number)) for number in range(1, 8))), None, 5)) == [3, 4, 5, 6, 7]


def test_a_further_run_follows_those_of_the_baseline(summary: Callable[..., Summary]) -> None:
    baseline = summary(**day(1))
    for number in range(2, 8):
        baseline = keep_runs(loaded(summary(**day(number))), baseline, 4)
    assert days(baseline) == [4, 5, 6, 7]


def test_the_same_run_is_kept_once(summary: Callable[..., Summary]) -> None:
    baseline = keep_runs(loaded(summary(**day(1)), summary(**day(2))), None, 5)
    again = summary(timestamp="2026-11-02T01:00:00+01:00")
    assert days(keep_runs(loaded(again), baseline, 5)) == [1, 2]
    with pytest.raises(GuardError, match=r"run-2\.json: another current file has its timestamp"):
        keep_runs(loaded(summary(**day(2)), again), None, 5)


def test_one_run_is_kept_as_before(summary: Callable[..., Summary]) -> None:
    several = keep_runs(loaded(summary(**day(1)), summary(**day(2))), None, 5)
    assert keep_runs(loaded(several), summary(**day(3)), 1).runs is None


@pytest.mark.parametrize(
    "before", [{"params": {"files": 1}}, {"environment": {"python": "3.11"}}, {"kernel": "archive-1"}]
)
def test_runs_of_something_else_are_left_out_of_the_baseline_and_refused_together(
    sampled: Callable[..., Summary], before: dict[str, Any]
) -> None:
    after = {"params": {"files": 2}, "environment": {"python": "3.12"}, "kernel": "archive-2"}
    (key,) = before
    rounds, rulers = [[10.0] * 3] * 2, [[0.4] * 3] * 2
    old = sampled(rounds, rulers=rulers, **before, **day(1))
    new = sampled(rounds, rulers=rulers, **day(2), **{key: after[key]})
    assert days(keep_runs(loaded(new), old, 5)) == [2]
    with pytest.raises(GuardError, match=r"run-1\.json: .* differs.*; not a run of the same code as run-2\.json"):
        keep_runs(loaded(old, new), None, 5)


def test_a_run_is_kept_as_the_estimate_takes_it(sampled: Callable[..., Summary]) -> None:
    draw = Random(1)
    rounds, rulers = ([[draw.uniform(1, 2) for _ in range(12)] for _ in range(5)] for _ in range(2))
    one, other = sampled(rounds, rulers=rulers), sampled([[4.0] * 12] * 5, rulers=[[2.0] * 12] * 5)
    for name in ("p50", "p95"):
        kept = levels_of_run(one), levels_of_run(other)
        for by_ruler in (False, True):
            moved = estimate(one, other, name, normalized=by_ruler)
            before, after = (getattr(levels.normalized if by_ruler else levels, name) for levels in kept)
            assert moved is not None
            assert moved.log_change == pytest.approx(math.log(after / before), abs=1e-8)


@pytest.mark.parametrize(
    ("changes", "held"),
    [
        ({}, {"p50", "p95"}),
        ({"throughput": True, "p5": 1.0, "p50": 5.0}, {"p5", "p50", "p95"}),
        ({"p50": 10.0, "statistics": ("mean",)}, {"mean"}),
        ({"p50": 10.0, "statistics": ("p50",)}, {"p50"}),
    ],
)
def test_of_figures_alone_those_that_are_held_are_kept(
    summary: Callable[..., Summary], changes: dict[str, Any], held: set[str]
) -> None:
    kept = levels_of_run(summary(**{"p50": 5.0, **changes}))
    assert {name for name in Levels.__struct_fields__ if getattr(kept, name) is not None} == held
    assert kept.normalized is None


def test_a_figure_of_0_has_no_logarithm_and_is_not_kept(summary: Callable[..., Summary]) -> None:
    kept = keep_runs(loaded(summary(**day(1), p50=0.0), summary(**day(2), p50=0.0)), None, 5)
    assert [(run.p50, run.p95) for run in kept.runs or ()] == [(None, 10.0)] * 2
    assert decode_summary(encode_summary(kept)) == kept


@pytest.mark.parametrize("value", [5e-324, 1e-300, 1e300, 1.7e308])
def test_no_figure_is_too_large_or_too_small_to_be_kept(sampled: Callable[..., Summary], value: float) -> None:
    rulers = [[1e300] * 3, [1e-300] * 3]
    for sides in (value, 1.0), (1.0, value):
        rounds = [[sides[0]] * 3, [sides[1]] * 3]
        runs = [sampled(rounds, rulers=rulers, **day(number)) for number in (1, 2)]
        kept = keep_runs(loaded(*runs), None, 5)
        assert decode_summary(encode_summary(kept)) == kept
