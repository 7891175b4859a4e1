from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_schema import (
    FigureSeries,
    InvalidSummaryError,
    RoundUsage,
    RunLevels,
    Summary,
    decode_summary,
    encode_summary,
    figures_of,
    run_figures,
    series_of,
)

NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,59}", fullmatch=True)
FIGURES = st.builds(
    FigureSeries,
    unit=st.sampled_from(["bytes", "calls"]),
    better=st.sampled_from(["lower", "higher"]),
    values=st.lists(st.floats(0, 1e300), min_size=1, max_size=5).map(tuple),
    exact=st.booleans(),
)


def summary(**changes: Any) -> Summary:
    keys: dict[str, Any] = {"bench_id": "parse", "metric": "duration_ms", "unit": "ms", "p50": 1.0, "p95": 2.0, "n": 4}
    return Summary(**{**keys, "timestamp": "2026-01-02T03:04:05+00:00", **changes})


def test_a_bare_summary_is_one_series() -> None:
    (series,) = series_of(summary())
    assert (series.figure, series.summary) == (None, summary())


def test_costs_of_the_rounds_are_figures() -> None:
    usage = tuple(RoundUsage(peak_memory_bytes=size, user_cpu_s=1.0, system_cpu_s=0.5) for size in (10, 30))
    figures = figures_of(summary(rounds=usage))
    assert figures["peak-memory"].values == (10.0, 30.0)
    assert (figures["cpu-time"].values, figures["cpu-time"].unit) == ((1.5, 1.5), "s")


def test_costs_that_a_round_lacks_are_no_figure() -> None:
    assert figures_of(summary(rounds=(RoundUsage(peak_memory_bytes=1), RoundUsage(user_cpu_s=1.0)))) == {}


def test_counts_have_no_samples_unless_they_vary() -> None:
    def calls(*values: float) -> FigureSeries:
        return FigureSeries(unit="calls", better="lower", values=values, exact=True)

    same, varied = list(series_of(summary(figures={"same": calls(7, 7), "varied": calls(7, 8)})))[1:]
    assert (same.exact, same.varies, same.summary.samples, same.summary.p50) == (True, False, None, 7)
    assert (varied.exact, varied.varies, varied.summary.samples) == (False, True, ((7.0,), (8.0,)))


@given(
    figures=st.dictionaries(NAMES, FIGURES, max_size=3),
    bench_id=st.text(st.characters(categories=["L"]), min_size=1, max_size=200),
)
def test_every_figure_is_a_valid_series_of_its_own(figures: dict[str, FigureSeries], bench_id: str) -> None:
    whole = summary(bench_id=bench_id, figures=figures)
    assert decode_summary(encode_summary(whole)) == whole
    found = list(series_of(whole))
    assert {series.figure for series in found} == {None, *figures}
    assert len({series.summary.bench_id for series in found}) == len(found)
    for series in found:
        assert decode_summary(encode_summary(series.summary)) == series.summary


def test_runs_keep_their_figures() -> None:
    figure = FigureSeries(unit="bytes", better="lower", values=(2.0, 8.0))
    whole = summary(figures={"size": figure, "none": FigureSeries(unit="x", better="lower", values=(0.0,))})
    assert run_figures(whole) == pytest.approx({"size": 4.0})
    runs = tuple(
        RunLevels(timestamp=f"2026-01-0{day}T03:04:05+00:00", p50=1.0, figures={"size": float(day)}) for day in (1, 2)
    )
    size = next(each for each in series_of(summary(figures={"size": figure}, runs=runs)) if each.figure == "size")
    assert [run.p50 for run in size.summary.runs or ()] == [1.0, 2.0]


@pytest.mark.parametrize(
    "changes",
    [
        {"figures": {"size": FigureSeries(unit="bytes", better="lower", values=())}},
        {"figures": {"size": FigureSeries(unit="bytes", better="lower", values=(float("inf"),))}},
        {"figures": {"size": FigureSeries(unit="bytes", better="lower", values=(-1.0,))}},
    ],
)
def test_figures_are_finite_and_not_negative(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidSummaryError, match=r"figures\.size\.values"):
        summary(**changes)
