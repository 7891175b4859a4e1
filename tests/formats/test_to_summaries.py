from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_formats import Failures, ImportedSeries, ImportFileError, ImportOptions
from aether_formats.model import DEFAULT_OPTIONS
from aether_formats.to_summaries import Imported, file_name_of, pool, sanitize_bench_id, summaries_of
from aether_schema import Summary, decode_summary, encode_summary

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def summarised(*series: ImportedSeries, wishes: ImportOptions = DEFAULT_OPTIONS) -> list[Summary]:
    return list(summaries_of(series, wishes, NOW).summaries)


def series(**changes: Any) -> ImportedSeries:
    return ImportedSeries(**{"name": "a", "unit": "s", "p50": 1.0, **changes})


def test_a_summary_lists_the_one_statistic_that_the_tool_computed() -> None:
    (summary,) = summarised(series())
    assert (summary.p50, summary.p95, summary.n, summary.samples) == (1000.0, 1000.0, 1, None)
    assert (summary.statistics, summary.statistic("p50"), summary.statistic("p95")) == (("p50",), 1000.0, None)
    assert summary.timestamp == "2026-01-01T00:00:00+00:00"


def test_an_unknown_unit_needs_a_direction() -> None:
    with pytest.raises(ImportFileError, match=r"^a: the unit 'widgets' does not tell which direction is better: add"):
        summarised(series(unit="widgets"))
    (summary,) = summarised(series(unit="widgets"), wishes=ImportOptions(better=(("", "higher"),)))
    assert (summary.metric, summary.unit, summary.better) == ("value", "widgets", "higher")


def imported(*items: ImportedSeries, wishes: ImportOptions = DEFAULT_OPTIONS) -> Imported:
    return summaries_of(items, wishes, NOW)


def test_a_bench_without_a_direction_leaves_the_others_judged() -> None:
    found = imported(series(), series(name="b", unit="widgets"))
    assert [summary.bench_id for summary in found.summaries] == ["a"]
    assert found.unjudged == (
        ("b", "the unit 'widgets' does not tell which direction is better: add --better lower or --better higher"),
    )


@pytest.mark.parametrize(("allowed", "is_judged"), [(0.0, False), (0.19, False), (0.2, True)])
def test_failures_are_an_error_beyond_the_allowed_share(allowed: float, *, is_judged: bool) -> None:
    failures = Failures(failed=2, total=10, problem="2 of 10 runs exited with status 3")
    found = imported(series(failures=failures), wishes=ImportOptions(allow_failures=allowed))
    if is_judged:
        assert [summary.notes for summary in found.summaries] == [failures.problem]
    else:
        assert found.failed == (("a", f"{failures.problem}; --allow-failures 20% judges it anyway"),)


def test_nothing_but_failures_is_an_error_whatever_is_allowed() -> None:
    failures = Failures(failed=1, total=1, problem="the test failed")
    found = imported(series(p50=None, failures=failures), wishes=ImportOptions(allow_failures=1.0))
    assert found.failed == (("a", "the test failed; nothing is left to judge"),)


def test_a_mean_is_not_a_median() -> None:
    (alone, above, below) = imported(
        series(p50=None, mean=1.0), series(name="b", p50=None, mean=1.0, p95=0.5), series(name="c", mean=1.0, p95=2.0)
    ).summaries
    assert (alone.statistics, alone.statistic("mean"), alone.statistic("p50")) == (("mean",), 1000.0, None)
    assert above.statistics == ("mean",)
    assert (below.statistics, below.statistic("p95")) == (None, 2000.0)


def test_a_throughput_carries_its_slow_tail() -> None:
    (summary,) = imported(series(unit="MB/s", p50=None, rounds=((1.0, 2.0, 3.0),))).summaries
    assert summary.p5 == pytest.approx(1.1)


def test_runs_with_samples_are_pooled_as_rounds() -> None:
    runs = [summarised(series(p50=None, rounds=((value, value + 1),)))[0] for value in (1.0, 2.0)]
    pooled = pool(runs)
    assert pooled.samples == ((1000.0, 2000.0), (2000.0, 3000.0))
    assert (pooled.n, pooled.p50, pooled.statistics) == (4, 2000.0, None)


def test_runs_without_samples_are_pooled_by_the_statistic_that_all_hold() -> None:
    runs = [summarised(series(p50=1.0, p95=3.0))[0], summarised(series(p50=2.0))[0]]
    pooled = pool(runs)
    assert (pooled.samples, pooled.statistics) == (((1000.0,), (2000.0,)), ("p50",))
    assert pooled.statistic("p95") is None


def test_runs_of_different_parameters_are_not_pooled() -> None:
    runs = [summarised(series(params={"size": size}))[0] for size in (1, 2)]
    with pytest.raises(ImportFileError, match="params differs"):
        pool(runs)


def test_a_direction_for_all_does_not_turn_round_what_a_unit_says() -> None:
    (summary,) = summarised(series(), wishes=ImportOptions(better=(("", "higher"),)))
    assert (summary.metric, summary.lower_is_better) == ("duration_ms", True)


def test_a_direction_for_a_bench_by_name_stands_over_the_unit() -> None:
    (summary,) = summarised(series(), wishes=ImportOptions(better=(("a*", "higher"),)))
    assert (summary.metric, summary.unit, summary.better, summary.p50) == ("value", "ms", "higher", 1000.0)


def test_two_of_one_name_are_told_apart() -> None:
    found = summarised(series(), series(), series(name="a #2"))
    assert [item.bench_id for item in found] == ["a", "a #3", "a #2"]


def test_a_prefix_stands_before_the_name() -> None:
    assert summarised(series(), wishes=ImportOptions(prefix="x/"))[0].bench_id == "x/a"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"p50": -1.0}, "p50"),
        ({"p50": float("nan")}, "not finite"),
        ({"p50": 1e308}, "not finite"),
        ({"p50": None}, "no figure"),
        ({"rounds": ((1.0, float("inf")),)}, "not finite"),
        ({"rounds": ((1.0, -1.0),)}, "at least 0"),
        ({"rounds": ((1.0, float("nan")),)}, "finite"),
        ({"rounds": ((), ()), "p50": None}, "no figure"),
        ({"n": 2**63}, "n: a whole number of more than 64 bits"),
        ({"phases": {"wait": (-1.0, 2.0)}}, "wait: a duration is a finite number from 0 on"),
        ({"params": {"size": float("nan")}}, "a parameter that is not finite"),
        ({"params": {"size": -(2**70)}}, "size: a whole number of more than 64 bits"),
    ],
)
def test_an_impossible_figure_is_named_with_its_bench(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ImportFileError, match=rf"^a: .*{problem}"):
        summarised(series(**changes))


@given(st.text(max_size=400))
def test_any_name_becomes_a_bench_id_and_a_file_name(name: str) -> None:
    bench_id = sanitize_bench_id(name)
    assert 1 <= len(bench_id) <= 200
    assert bench_id.isprintable()
    file_name = file_name_of(bench_id)
    assert file_name.isascii()
    assert len(file_name) < 120
    assert not set(file_name) & set('/\\:*?"<>| ')


@given(st.lists(st.text(max_size=6), max_size=8))
def test_every_bench_has_a_name_and_a_file_of_its_own(names: list[str]) -> None:
    found = [item.bench_id for item in summarised(*(series(name=name) for name in names))]
    assert len(set(found)) == len(names)
    assert len({file_name_of(bench_id).lower() for bench_id in found}) == len(names)


@given(st.lists(st.lists(st.floats(min_value=0, max_value=1e12), min_size=1, max_size=5), min_size=1, max_size=4))
def test_what_is_imported_can_be_written_and_read(rounds: list[list[float]]) -> None:
    (summary,) = summarised(series(rounds=tuple(map(tuple, rounds)), params={"a": 1}))
    assert decode_summary(encode_summary(summary)) == summary
