from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_schema import InvalidSummaryError, Levels, Reference, RunLevels, Summary, decode_summary, encode_summary

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = ((1.0, 2.0), (3.0,))
SAMPLED = {"samples": ROUNDS, "n": 3, "p50": 2.0, "p95": 2.9}
AT = "2026-11-23T23:52:51Z"
LATEST = RunLevels(timestamp=AT, p50=1.0)


def ruler(*rounds: tuple[float, ...]) -> Reference:
    return Reference(kernel="sha256/1", unit="ms", samples=rounds)


def test_the_required_keys_alone_are_a_whole_summary(summary: Callable[..., Summary]) -> None:
    whole = summary()
    assert (whole.samples, whole.reference, whole.params, whole.notes) == (None, None, None, None)


@pytest.mark.parametrize(
    ("changes", "held"),
    [
        ({"p50": 5.0, "p95": 7.0}, {"p50": 5.0, "p95": 7.0}),
        ({"p50": 5.0, "p95": 7.0, "p5": 4.0}, {"p5": 4.0, "p50": 5.0, "p95": 7.0}),
        ({"p50": 5.0, "p95": 5.0, "statistics": ("p50",)}, {"p50": 5.0}),
        ({"p50": 5.0, "p95": 7.0, "statistics": ("mean", "p95")}, {"mean": 5.0, "p95": 7.0}),
        (SAMPLED, {"p5": 1.1, "mean": 2.0, "p50": 2.0, "p95": 2.9}),
        ({**SAMPLED, "statistics": ("p50",)}, {"p50": 2.0}),
        ({**SAMPLED, "statistics": ("mean",)}, {"mean": 2.0}),
    ],
)
def test_a_summary_holds_the_statistics_that_were_measured(
    summary: Callable[..., Summary], changes: dict[str, Any], held: dict[str, float]
) -> None:
    whole = decode_summary(encode_summary(summary(**changes)))
    statistics = {name: whole.statistic(name) for name in ("p5", "mean", "p50", "p95")}
    assert {name: value for name, value in statistics.items() if value is not None} == pytest.approx(held)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"p50": -1.0}, "p50"),
        ({"p50": math.nan}, "p50"),
        ({"p95": math.inf}, "p95"),
        ({"p95": math.nan}, "p95"),
        ({"p50": 7.6}, "p95"),
        ({"n": 0}, "n"),
        ({"n": -3}, "n"),
        ({"bench_id": ""}, "bench_id"),
        ({"bench_id": "x" * 201}, "bench_id"),
        ({"bench_id": "a\nb"}, "bench_id"),
        ({"bench_id": "a\x1b[31mb"}, "bench_id"),
        ({"bench_id": "a\x85b"}, "bench_id"),
        ({"timestamp": ""}, "timestamp"),
        ({"timestamp": "23.11.2026"}, "timestamp"),
        ({"timestamp": "2026-13-01"}, "timestamp"),
        ({"unit": "s"}, "unit"),
        ({"metric": "throughput_mbs"}, "unit"),
        ({"metric": "throughput_mbs", "unit": "MiB/s"}, "unit"),
        ({"metric": "value", "unit": "requests"}, "better"),
        ({"better": "higher"}, "better"),
        ({"metric": "throughput_mbs", "unit": "MB/s", "better": "lower"}, "better"),
        ({**SAMPLED, "n": 4}, "n"),
        ({**SAMPLED, "p50": 2.1}, "p50"),
        ({**SAMPLED, "p95": 2.8}, "p95"),
        ({**SAMPLED, "p5": 1.2}, "p5"),
        ({"p5": -1.0}, "p5"),
        ({"p5": math.nan}, "p5"),
        ({"p50": 5.0, "p5": 5.1}, "p5"),
        ({"statistics": ()}, "statistics"),
        ({"statistics": ("p50", "mean")}, "statistics"),
        ({"statistics": ("p99",)}, "statistics"),
        ({"p50": 1.0, "p95": 2.0, "statistics": ("p50",)}, "statistics"),
        ({**SAMPLED, "samples": ((1.0, 2.0), (-3.0,))}, "samples"),
        ({**SAMPLED, "samples": ((1.0, 2.0), (math.nan,))}, "samples"),
        ({"samples": ()}, "n"),
        ({"reference": ruler((1.0,))}, "reference.samples"),
        ({**SAMPLED, "reference": ruler((1.0,), (1.0, 1.0))}, "reference.samples"),
        ({**SAMPLED, "reference": ruler((1.0, 1.0))}, "reference.samples"),
        ({**SAMPLED, "reference": ruler((1.0, 1.0), (0.0,))}, "reference.samples"),
        ({**SAMPLED, "reference": ruler((1.0, 1.0), (math.inf,))}, "reference.samples"),
        ({**SAMPLED, "cross_reference": ruler((1.0, 1.0), (1.0,))}, "cross_reference.samples"),
        ({"runs": ()}, "runs"),
        ({"runs": (RunLevels(timestamp="2026-11-22"),)}, "runs"),
        ({"runs": (RunLevels(timestamp="yesterday"),)}, "runs[0].timestamp"),
        ({"runs": (LATEST, LATEST)}, "runs[1].timestamp"),
        ({"runs": (RunLevels(timestamp="2026-11-22", p95=math.inf), LATEST)}, "runs[0].p95"),
        ({"runs": (RunLevels(timestamp=AT, normalized=Levels(p50=math.nan)),)}, "runs[0].normalized.p50"),
    ],
)
def test_a_contradiction_is_refused_and_its_key_named(
    summary: Callable[..., Summary], changes: dict[str, Any], key: str
) -> None:
    with pytest.raises(InvalidSummaryError) as caught:
        summary(**changes)
    assert caught.value.key == key
    assert str(caught.value).startswith(f"{key}: ")


@pytest.mark.parametrize(
    "changes",
    [
        {"bench_id": "x" * 200},
        {"bench_id": "Paket 📦 größer, 1:2 | 50 %"},
        {"p50": 0.0, "p95": 0.0},
        {"p50": 7.5},
        {"better": "lower"},
        {"metric": "throughput_mbs", "unit": "MB/s", "better": "higher"},
        {"metric": "value", "unit": "requests", "better": "higher"},
        {"timestamp": "2026-11-23"},
        {"timestamp": "2026-11-23T23:52:51Z"},
        SAMPLED,
        {**SAMPLED, "p95": 2.9000001},
        {"runs": (RunLevels(timestamp="2026-11-22", p50=1.0, normalized=Levels(p50=2.0)), LATEST)},
        {**SAMPLED, "reference": ruler((1.0, 1.0), (2.0,)), "cross_reference": ruler((4.0,), (4.1,))},
    ],
)
def test_what_the_contract_allows_is_accepted(summary: Callable[..., Summary], changes: dict[str, Any]) -> None:
    built = summary(**changes)
    assert {key: getattr(built, key) for key in changes} == changes


@pytest.mark.parametrize(
    ("changes", "lower"),
    [
        ({}, True),
        ({"metric": "throughput_mbs", "unit": "MB/s"}, False),
        ({"metric": "value", "unit": "requests", "better": "higher"}, False),
        ({"metric": "value", "unit": "bytes", "better": "lower"}, True),
    ],
)
def test_the_metric_says_which_way_is_better_and_a_value_says_it_itself(
    summary: Callable[..., Summary], changes: dict[str, Any], *, lower: bool
) -> None:
    assert summary(**changes).lower_is_better is lower


def test_a_timestamp_without_an_offset_is_read_as_utc(summary: Callable[..., Summary]) -> None:
    assert summary(timestamp="2026-11-23T10:00:00").measured_at == datetime(2026, 11, 23, 10, tzinfo=UTC)


def test_a_timestamp_with_an_offset_keeps_it(summary: Callable[..., Summary]) -> None:
    moment = summary(timestamp="2026-11-23T10:00:00+02:00").measured_at
    assert moment.utcoffset() == timedelta(hours=2)
    assert moment == datetime(2026, 11, 23, 8, tzinfo=UTC)


def test_a_summary_is_a_value_that_nobody_changes(summary: Callable[..., Summary]) -> None:
    with pytest.raises(AttributeError):
        summary().p95 = 1.0  # type: ignore[misc]


@given(low=st.floats(0, 1e9), high=st.floats(0, 1e9))
def test_whichever_figures_are_built_p95_is_at_least_p50(
    summary: Callable[..., Summary], low: float, high: float
) -> None:
    if high >= low:
        assert summary(p50=low, p95=high).p95 == high
    else:
        with pytest.raises(InvalidSummaryError, match="below p50"):
            summary(p50=low, p95=high)
