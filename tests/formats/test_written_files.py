"""Files written by hand after the documented structure of tools that could not be had: the figures are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aether_formats import ImportOptions
from aether_formats.model import DEFAULT_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aether_schema import Summary

    Import = Callable[..., dict[str, Summary]]


def told(found: dict[str, Summary]) -> dict[str, tuple[float, float, int, str, bool]]:
    return {
        name: (round(item.p50, 12), round(item.p95, 12), item.n, item.unit, item.lower_is_better)
        for name, item in found.items()
    }


def test_oha(made: Path, imported: Import) -> None:
    assert told(imported("oha", made / "oha" / "report.json", DEFAULT_OPTIONS)) == {
        "oha response time": (4.0, 8.4, 1000, "ms", True),
        "oha req/s": (400.0, 400.0, 1000, "req/s", False),
    }


def test_vegeta_as_a_report(made: Path, imported: Import) -> None:
    found = imported("vegeta", made / "vegeta" / "report.json", DEFAULT_OPTIONS)
    assert told(found) == {
        "vegeta latency": (3.5, 7.25, 1000, "ms", True),
        "vegeta throughput": (99.95, 99.95, 1000, "req/s", False),
    }
    assert found["vegeta latency"].timestamp == "2026-11-20T10:00:10+00:00"


def test_benchmarkdotnet_in_full_has_a_round_a_launch(made: Path, imported: Import) -> None:
    found = imported("benchmarkdotnet", made / "benchmarkdotnet" / "full.json", DEFAULT_OPTIONS)
    assert {name: [list(values) for values in item.samples or ()] for name, item in found.items()} == {
        "Example.Texts.Join(Size: 10)": [[20.5e-6, 21.25e-6, 20.75e-6], [21.5e-6, 22.25e-6, 21.75e-6]],
        "Example.Texts.Join(Size: 10) allocated": [],
        "Example.Texts.Split": [[100e-6, 101.5e-6, 99e-6, 100.25e-6]],
        "Example.Texts.Split allocated": [],
    }


def test_benchmarkdotnet_in_brief_has_its_percentiles(made: Path, imported: Import) -> None:
    assert told(imported("benchmarkdotnet", made / "benchmarkdotnet" / "brief.json", DEFAULT_OPTIONS)) == {
        "Example.Texts.Join(Size: 10)": (21.5e-6, 22.25e-6, 6, "ms", True),
        "Example.Texts.Join(Size: 10) allocated": (64.0, 64.0, 1, "B/op", True),
        "Example.Texts.Split": (100.25e-6, 101.5e-6, 4, "ms", True),
        "Example.Texts.Split allocated": (64.0, 64.0, 1, "B/op", True),
    }


def test_jmh_takes_the_direction_from_the_unit_and_a_round_from_each_fork(made: Path, imported: Import) -> None:
    found = imported("jmh", made / "jmh" / "several.json", DEFAULT_OPTIONS)
    assert {name: (item.unit, item.lower_is_better, item.samples) for name, item in found.items()} == {
        "org.example.Parse.text [size=10]": ("ms", True, ((0.0015, 0.00125, 0.00175), (0.0025, 0.00225, 0.002))),
        "org.example.Parse.text [size=100]": ("ms", True, ((0.015, 0.0125), (0.025, 0.0225))),
        "org.example.Copy.all thrpt": ("ops/s", False, ((150_000.0, 152_500.0),)),
        "org.example.Copy.all sample": ("ms", True, ((1.5, 1.5, 1.5, 2.5), (1.75, 1.75))),
    }


def test_cargo_criterion_between_what_cargo_prints(made: Path, imported: Import) -> None:
    (summary,) = imported("cargo-criterion", made / "cargo-criterion" / "messages.json", DEFAULT_OPTIONS).values()
    assert summary.samples == ((124200 / 30 / 1e6, 247000.5 / 60 / 1e6, 375000 / 90 / 1e6),)


def test_bmf_of_the_field(shared: Path, imported: Import) -> None:
    found = imported("auto", shared / "bmf" / "report_latency.json")
    assert [(item.bench_id, item.p50, item.unit) for item in found.values()] == [
        ("tests::benchmark_a", 3247.0 / 1e6, "ms"),
        ("tests::benchmark_b", 3443.0 / 1e6, "ms"),
        ("tests::benchmark_c", 3361.0 / 1e6, "ms"),
    ]


@pytest.mark.parametrize(("name", "way"), [("bigger", "higher"), ("smaller", "lower")])
def test_github_action_benchmark_of_the_field(shared: Path, imported: Import, name: str, way: str) -> None:
    path = shared / "github-action-benchmark" / f"{name}_is_better.json"
    found = imported("auto", path, ImportOptions(better=(("", "higher" if way == "higher" else "lower"),)))
    assert [item.better for item in found.values()] == [way, way]
    assert [item.p50 for item in found.values()] == ([70.0, 150.0] if way == "higher" else [50.0, 100.0])


def test_csv_by_its_usual_columns(made: Path, imported: Import) -> None:
    found = imported("csv", made / "csv" / "samples.csv", DEFAULT_OPTIONS)
    assert found["parse"].samples == ((0.0015, 0.00175), (0.00125,))
    assert (found["big"].p50, found["big"].unit, found["big"].better) == (99.5, "points", "higher")


def test_csv_by_the_columns_it_was_given(made: Path, imported: Import) -> None:
    wishes = ImportOptions(columns={"name": "route", "value": "p50_ms", "p95": "p95_ms"}, unit="ms")
    assert told(imported("csv", made / "csv" / "semicolons.csv", wishes)) == {
        "/index": (12.5, 30.25, 1, "ms", True),
        "/a;b": (1.5, 2.0, 1, "ms", True),
    }
