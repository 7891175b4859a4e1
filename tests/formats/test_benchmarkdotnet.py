"""The files were written by hand after what the tool's exporters write."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from aether_formats import ImportFileError
from aether_guard.check.imported_files import Reader

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from aether_schema import Summary

    Import = Callable[..., dict[str, Summary]]
    Guard = Callable[..., subprocess.CompletedProcess[str]]

NAME = "Example.Texts.Join(Size: 10) [Runtime=.NET {}, IterationCount=3]"


def verdicts(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {bench["bench_id"]: bench["verdict"] for bench in json.loads(done.stdout)["benches"]}


def test_jobs_are_told_apart_by_their_settings_and_not_by_order(guard: Guard, made: Path) -> None:
    old, new = (made / "benchmarkdotnet" / f"jobs_{name}.json" for name in ("old", "new"))
    done = guard("check", "--from", "auto", old, new, "--format", "json")
    assert done.returncode == 1
    found = verdicts(done)
    assert found[NAME.format("9.0")] == "regression"
    assert found[NAME.format("8.0")] == "pass"
    assert len(found) == 4


@pytest.mark.parametrize("name", ["failed.json", "Example.Texts-report.csv"])
def test_a_benchmark_without_results_is_an_error(guard: Guard, made: Path, name: str) -> None:
    path = made / "benchmarkdotnet" / name
    done = guard("check", "--from", "auto", path, path)
    assert done.returncode == 2
    assert "the benchmark has no results" in done.stderr


def test_a_table_has_a_mean_for_each_job_and_set_of_parameters(made: Path) -> None:
    found = Reader("auto").read(str(made / "benchmarkdotnet" / "Example.Texts-report.csv"))
    assert {summary.bench_id: summary.p50 for summary in found.summaries} == {
        "Example.Texts.Join(Size: 10) [Runtime=.NET 8.0]": 21.25e-6,
        "Example.Texts.Join(Size: 10) [Runtime=.NET 9.0]": 20.125e-6,
        "Example.Texts.Join(Size: 1000) [Runtime=.NET 8.0]": 1802.5e-6,
        "Example.Texts.Join(Size: 1000) [Runtime=.NET 9.0]": 1640.75e-6,
        "Example.Texts.Split(Size: 10) [Runtime=.NET 9.0]": 101.5e-6,
        "Example.Texts.Join(Size: 10) [Runtime=.NET 8.0] allocated": 48.0,
        "Example.Texts.Join(Size: 10) [Runtime=.NET 9.0] allocated": 48.0,
        "Example.Texts.Join(Size: 1000) [Runtime=.NET 8.0] allocated": 2072.0,
        "Example.Texts.Join(Size: 1000) [Runtime=.NET 9.0] allocated": 2072.0,
        "Example.Texts.Split(Size: 10) [Runtime=.NET 9.0] allocated": 0.0,
    }
    assert {summary.statistics for summary in found.summaries} == {("mean",), ("p50",)}


def test_a_table_may_have_its_units_in_the_header(guard: Guard, made: Path) -> None:
    old, new = (made / "benchmarkdotnet" / f"{name}-report.csv" for name in ("old", "new"))
    done = guard("check", "--from", "auto", old, new, "--format", "json")
    assert done.returncode == 1
    assert verdicts(done) == {
        "Split": "regression",
        "Split allocated": "pass",
        "Join": "pass",
        "Join allocated": "pass",
    }


@pytest.mark.parametrize(
    ("cell", "time_ms"), [("1.234 μs", 0.001234), ("1.234 us", 0.001234), ('"1,234.5 ms"', 1234.5), ("2.5 s", 2500.0)]
)
def test_a_cell_has_a_number_and_a_unit(tmp_path: Path, imported: Import, cell: str, time_ms: float) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"Method,Mean,Error\nJoin,{cell},0.1 us\n", encoding="utf-8")
    assert imported("auto", path)["Join"].p50 == pytest.approx(time_ms)


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ('"1,234 us"', "line 2, column Mean: '1,234' is no number: a comma may be decimal"),
        ("1.5", "line 2, column Mean: '1.5' has no unit"),
        ("much us", "line 2, column Mean: 'much' is no number"),
    ],
)
def test_a_cell_that_cannot_be_read_is_named(tmp_path: Path, cell: str, problem: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"Method,Mean,Error\nJoin,{cell},0.1 us\n", encoding="utf-8")
    with pytest.raises(ImportFileError, match=f"^{problem}"):
        Reader("benchmarkdotnet").read(str(path))
