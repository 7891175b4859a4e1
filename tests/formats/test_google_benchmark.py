from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from aether_formats import ImportFileError
from aether_guard.check.imported_files import Reader

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from aether_formats.to_summaries import Imported
    from aether_schema import Summary

    Import = Callable[..., dict[str, Summary]]
    Guard = Callable[..., subprocess.CompletedProcess[str]]

NEWER_KEYS = {"run_name", "run_type", "aggregate_name", "aggregate_unit", "repetitions", "repetition_index", "threads"}


def read(tmp_path: Path, runs: list[dict[str, Any]]) -> Imported:
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"context": {}, "benchmarks": runs}), encoding="utf-8")
    return Reader("google-benchmark").read(str(path))


def run(name: str, real: float, cpu: float, **changes: Any) -> dict[str, Any]:
    common = {"name": name, "run_name": name, "run_type": "iteration", "repetitions": 1, "time_unit": "ms"}
    return {**common, "real_time": real, "cpu_time": cpu, **changes}


def aggregates_of_an_old_release(made: Path, *kept: str) -> list[dict[str, Any]]:
    """Return the real report of aggregates alone, as a release wrote it that had no `run_type`."""
    document = json.loads((made / "google-benchmark" / "aggregates.json").read_text(encoding="utf-8"))
    lines = [line for line in document["benchmarks"] if line.get("aggregate_name") in kept]
    return [{key: value for key, value in line.items() if key not in NEWER_KEYS} for line in lines]


def test_cpu_time_is_a_bench_of_its_own(made: Path, imported: Import) -> None:
    path = made / "google-benchmark" / "old.json"
    found = imported("google-benchmark", path)
    lines = [line for line in json.loads(path.read_text())["benchmarks"] if line["run_type"] == "iteration"]
    for name in ("BM_Same", "BM_Sum", "BM_Helper/iterations:4/process_time"):
        for suffix, key in (("", "real_time"), (" cpu_time", "cpu_time")):
            values = tuple(line[key] / 1e6 for line in lines if line["run_name"] == name)
            assert found[name + suffix].samples == (pytest.approx(values, rel=1e-15),)
            assert len(values) == 60
    assert len(found) == 6


def test_code_that_takes_more_of_the_cpu_and_no_longer_is_found(guard: Guard, made: Path) -> None:
    old, new = (made / "google-benchmark" / f"{name}.json" for name in ("old", "new"))
    done = guard("check", "--from", "auto", old, new, "--format", "json")
    assert done.returncode == 1
    verdicts = {bench["bench_id"]: bench["verdict"] for bench in json.loads(done.stdout)["benches"]}
    assert {name for name, verdict in verdicts.items() if verdict == "regression"} == {
        "BM_Sum",
        "BM_Sum cpu_time",
        "BM_Helper/iterations:4/process_time cpu_time",
    }


@pytest.mark.parametrize("name", ["BM/real_time", "BM/iterations:2/manual_time", "BM/process_time/real_time"])
def test_a_benchmark_by_another_clock_has_no_cpu_time(tmp_path: Path, name: str) -> None:
    (summary,) = read(tmp_path, [run(name, 5.0, 1.0)]).summaries
    assert (summary.bench_id, summary.p50) == (name, 5.0)


def test_a_clock_too_coarse_for_the_cpu_time_gives_none(tmp_path: Path) -> None:
    assert [summary.bench_id for summary in read(tmp_path, [run("a", 5.0, 0.0)]).summaries] == ["a"]


def test_a_benchmark_that_failed_is_an_error_with_its_message(guard: Guard, made: Path) -> None:
    for name, runs in (("binding", 2), ("repetitions", 4), ("aggregates", 4)):
        path = made / "google-benchmark" / f"{name}.json"
        done = guard("check", "--from", "auto", path, path)
        assert done.returncode == 2
        assert f": {runs} of {runs} runs failed: on purpose" in done.stderr


def test_the_release_for_python_is_read(made: Path, imported: Import) -> None:
    found = imported("auto", made / "google-benchmark" / "binding.json")
    assert list(found) == ["sums", "sums cpu_time", "manual/manual_time"]
    assert (found["manual/manual_time"].p50, found["manual/manual_time"].n) == (1.0, 2)
    assert found["sums"].environment == {"cpus_logical": 2, "build": "release"}


def test_repetitions_that_failed_are_left_out_if_that_is_allowed(guard: Guard, tmp_path: Path) -> None:
    failed = run("a", 0.0, 0.0, error_occurred=True, error_message="bad luck")
    read(tmp_path, [run("a", 5.0, 4.0), failed, run("a", 6.0, 5.0)])
    arguments = ("check", "--from", "auto", "report.json", "report.json", "--format", "json")
    refused = guard(*arguments)
    assert refused.returncode == 2
    assert refused.stderr.count("1 of 3 runs failed: bad luck") == 2  # once for each side
    allowed = guard(*arguments, "--allow-failures", "34%")
    assert allowed.returncode == 0, allowed.stderr
    assert {bench["bench_id"]: bench["current"] for bench in json.loads(allowed.stdout)["benches"]}.keys() == {
        "a",
        "a cpu_time",
    }


def test_a_skipped_benchmark_is_not_judged(tmp_path: Path) -> None:
    skipped = run("a", 0.0, 0.0, skipped=True, skip_message="needs a GPU")
    found = read(tmp_path, [skipped, run("b", 1.0, 1.0)])
    assert found.unjudged == (("a", "skipped: needs a GPU"),)
    assert [summary.bench_id for summary in found.summaries] == ["b", "b cpu_time"]


def test_aggregates_alone_of_an_old_release_are_their_median(made: Path, tmp_path: Path) -> None:
    lines = aggregates_of_an_old_release(made, "mean", "median", "stddev", "cv")
    found = {summary.bench_id: summary for summary in read(tmp_path, lines).summaries}
    medians = {line["name"].removesuffix("_median"): line for line in lines if line["name"].endswith("_median")}
    assert [name for name in found if not name.endswith(" cpu_time")] == list(medians)
    for name, line in medians.items():
        factor = {"ns": 1e-6, "ms": 1.0}[line["time_unit"]]
        assert found[name].p50 == pytest.approx(line["real_time"] * factor, rel=1e-15)
        assert found[name].statistics == ("p50",)


def test_aggregates_without_a_median_are_their_mean(made: Path, tmp_path: Path) -> None:
    lines = aggregates_of_an_old_release(made, "mean", "stddev")
    found = read(tmp_path, lines).summaries
    assert {summary.statistics for summary in found} == {("mean",)}
    assert [summary.bench_id for summary in found if not summary.bench_id.endswith(" cpu_time")] == [
        line["name"].removesuffix("_mean") for line in lines if line["name"].endswith("_mean")
    ]


def test_deviations_alone_are_no_times(made: Path, tmp_path: Path) -> None:
    document = json.loads((made / "google-benchmark" / "aggregates.json").read_text(encoding="utf-8"))
    lines = [line for line in document["benchmarks"] if line.get("aggregate_name") in {"stddev", "cv"}]
    with pytest.raises(ImportFileError, match=r"^no bench in it$"):
        read(tmp_path, lines)


def test_a_benchmark_may_be_called_like_an_aggregate(tmp_path: Path) -> None:
    lines = [{"name": "fast_mean", "real_time": 2.0, "cpu_time": 0.0, "time_unit": "ms"}]
    assert [summary.bench_id for summary in read(tmp_path, lines).summaries] == ["fast_mean"]
