"""Every figure of a real file against the file itself, read here in the plainest way there is."""

from __future__ import annotations

import gzip
import itertools
import json
import math
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aether_schema import Summary

    Import = Callable[..., dict[str, Summary]]
    Expected = dict[str, list[list[float]]]


def parsed(path: Path) -> Any:
    data = path.read_bytes()
    return json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)


def times(rounds: list[list[float]], factor: float) -> list[list[float]]:
    return [[value * factor for value in values] for values in rounds]


def runs(seconds: list[float]) -> list[list[float]]:
    """Return the samples of a tool each of whose runs is a process: a round of one sample, in milliseconds."""
    return times([[value] for value in seconds], 1e3)


def assert_samples(found: dict[str, Summary], expected: Expected, unit: str = "ms") -> None:
    assert list(found) == list(expected)
    for bench_id, rounds in expected.items():
        summary = found[bench_id]
        assert summary.samples is not None
        assert [len(values) for values in summary.samples] == [len(values) for values in rounds]
        for got, wanted in zip(summary.samples, rounds, strict=True):
            assert got == pytest.approx(wanted, rel=1e-15)
        assert summary.n == sum(map(len, rounds))
        assert summary.unit == unit


def assert_figures(found: dict[str, Summary], expected: dict[str, tuple[float, float, int]]) -> None:
    assert list(found) == list(expected)
    for bench_id, (p50, p95, n) in expected.items():
        summary = found[bench_id]
        assert (summary.p50, summary.p95) == pytest.approx((p50, p95), rel=1e-15)
        assert summary.n == n
        assert summary.samples is None


def pyperf_rounds(document: Any) -> list[list[list[float]]]:
    return [[run["values"] for run in bench["runs"] if "values" in run] for bench in document["benchmarks"]]


def test_pytest_benchmark_with_its_samples(made: Path, imported: Import) -> None:
    path = made / "pytest-benchmark" / "with_data.json"
    found = imported("pytest-benchmark", path)
    benches = parsed(path)["benchmarks"]
    assert_samples(found, {bench["fullname"]: times([bench["stats"]["data"]], 1e3) for bench in benches})
    assert [summary.p50 / 1e3 for summary in found.values()] == pytest.approx(
        [bench["stats"]["median"] for bench in benches], rel=1e-12
    )
    assert {summary.metric for summary in found.values()} == {"duration_ms"}
    assert next(iter(found.values())).params == {"size": 10}


def test_pytest_benchmark_without_samples_is_its_median(made: Path, imported: Import) -> None:
    path = made / "pytest-benchmark" / "without_data.json"
    benches = parsed(path)["benchmarks"]
    expected = {
        bench["fullname"]: (stats["median"] * 1e3, stats["median"] * 1e3, stats["rounds"])
        for bench in benches
        for stats in [bench["stats"]]
    }
    assert_figures(imported("pytest-benchmark", path), expected)


def test_a_part_of_the_samples_is_not_taken_for_the_run(shared: Path, imported: Import) -> None:
    path = shared / "pytest-benchmark" / "with_data.json"
    found = imported("pytest-benchmark", path)
    for bench in parsed(path)["benchmarks"]:
        stats, summary = bench["stats"], found[bench["fullname"]]
        assert summary.p50 == pytest.approx(stats["median"] * 1e3, rel=1e-12)
        assert summary.n == stats["rounds"]
        whole = len(stats["data"]) == stats["rounds"]
        assert (summary.samples is not None) is whole
        assert whole or "does not hold" in (summary.notes or "")
    assert next(iter(found.values())).commit == "b8e9e2af2493a1ee2f3fa758a9572cd9972e6db7"


def test_pytest_benchmark_of_an_old_release(shared: Path, imported: Import) -> None:
    found = imported("pytest-benchmark", shared / "pytest-benchmark" / "old_without_data.json")
    median = 2.2016643907464864e-04
    assert_figures(found, {"tests/test_normal.py::test_xfast_parametrized[0]": (median, median, 9987)})
    assert next(iter(found.values())).timestamp == "2015-08-15T00:01:46+00:00"


@pytest.mark.parametrize("name", ["time.json", "time.json.gz"])
def test_pyperf_has_a_round_a_process_that_measured(made: Path, imported: Import, name: str) -> None:
    path = made / "pyperf" / name
    sort, sums = pyperf_rounds(parsed(path))
    assert_samples(imported("pyperf", path), {"sort": times(sort, 1e3), "sum": times(sums, 1e3)})


def test_pyperf_of_memory_is_in_bytes_and_lower_is_better(made: Path, imported: Import) -> None:
    path = made / "pyperf" / "memory.json"
    found = imported("pyperf", path)
    assert_samples(found, {"list": pyperf_rounds(parsed(path))[0]}, "B")
    assert (found["list"].metric, found["list"].better) == ("value", "lower")


def test_the_metadata_of_a_pyperf_suite_is_that_of_its_benchmarks(shared: Path, imported: Import) -> None:
    found = imported("pyperf", shared / "pyperf" / "telco.json")
    assert_samples(found, {"telco": times(pyperf_rounds(parsed(shared / "pyperf" / "telco.json"))[0], 1e3)})
    assert found["telco"].n == 120
    found = imported("pyperf", shared / "pyperf" / "track_memory.json")
    assert_samples(found, {"timeit": [[7360512], [7364608], [7380992]]}, "B")


@pytest.mark.parametrize("name", ["two", "job", "job_slower"])
def test_hyperfine(made: Path, imported: Import, name: str) -> None:
    path = made / "hyperfine" / f"{name}.json"
    results = parsed(path)["results"]
    assert_samples(imported("hyperfine", path), {item["command"]: runs(item["times"]) for item in results})


def test_hyperfine_tells_a_command_s_parameters_apart(made: Path, imported: Import) -> None:
    path = made / "hyperfine" / "parameters.json"
    expected = {f"pause [pause={item['parameters']['pause']}]": runs(item["times"]) for item in parsed(path)["results"]}
    assert len(expected) == 3
    assert_samples(imported("hyperfine", path), expected)


def test_hyperfine_of_the_field(shared: Path, imported: Import) -> None:
    path = shared / "hyperfine" / "two.json"
    results = parsed(path)["results"]
    assert_samples(imported("auto", path), {item["command"]: runs(item["times"]) for item in results})


def test_criterion_divides_its_times_by_the_iterations(made: Path, imported: Import) -> None:
    folder = made / "criterion"
    expected = {}
    for path in sorted(folder.rglob("new/sample.json"), key=str):
        sample = parsed(path)
        identity = parsed(path.with_name("benchmark.json"))["full_id"]
        values = [time / count / 1e6 for time, count in zip(sample["times"], sample["iters"], strict=True)]
        expected[identity] = [values]
    assert len(expected) == 5
    found = imported("criterion", folder)
    assert_samples({name: found[name] for name in expected}, expected)
    assert len(found) == 5


def test_criterion_of_an_old_release(shared: Path, imported: Import) -> None:
    folder = shared / "criterion"
    iters, totals = parsed(folder / "legacy" / "Fibonacci" / "Iterative" / "new" / "sample.json")
    values = [time / count / 1e6 for time, count in zip(totals, iters, strict=True)]
    assert_samples(imported("criterion", folder), {"Fibonacci/Iterative": [values]})
    estimates = parsed(folder / "legacy" / "Fibonacci" / "Iterative" / "new" / "estimates.json")
    (summary,) = imported("auto", folder).values()
    assert summary.p50 == pytest.approx(estimates["Median"]["point_estimate"] / 1e6, rel=1e-6)


def go_figures(text: str) -> dict[tuple[str, str], list[float]]:
    figures: dict[tuple[str, str], list[float]] = {}
    for line in re.findall(r"^Benchmark.*/op.*$", text, re.MULTILINE):
        name, _, *rest = line.split()
        for value, unit in zip(rest[::2], rest[1::2], strict=True):
            figures.setdefault((name.removeprefix("Benchmark").removesuffix("-2"), unit), []).append(float(value))
    return figures


def test_go_has_a_bench_a_unit_and_its_lines_are_samples(made: Path, imported: Import) -> None:
    path = made / "go" / "bench.txt"
    found = imported("go", path)
    figures = go_figures(path.read_text(encoding="utf-8"))
    assert len(found) == len(figures) == 14
    for (name, unit), values in figures.items():
        package = "example.org/bench/inner" if name == "Nothing" else "example.org/bench"
        summary = found[f"{package}.{name}" + ("" if unit == "ns/op" else f" {unit}")]
        wanted = [value / 1e6 for value in values] if unit == "ns/op" else values
        assert summary.samples == (tuple(wanted),)
        assert summary.lower_is_better is (unit != "MB/s")
        assert summary.metric == {"ns/op": "duration_ms", "MB/s": "throughput_mbs"}.get(unit, "value")
        assert summary.environment == {"os": "linux", "machine": "amd64", "cpu_model": "AMD EPYC", "gomaxprocs": 2}


def test_go_events_hold_the_same_benches(made: Path, imported: Import) -> None:
    text, events = (imported("go", made / "go" / name) for name in ("bench.txt", "events.json"))
    assert list(text) == list(events)
    lines = (made / "go" / "events.json").read_text(encoding="utf-8").splitlines()
    output = "".join(json.loads(line).get("Output", "") for line in lines)
    times_ns = go_figures(output)["Copy", "ns/op"]
    assert events["example.org/bench.Copy"].samples == (tuple(value / 1e6 for value in times_ns),)


@pytest.mark.parametrize("name", ["old", "new"])
def test_go_of_the_field(shared: Path, imported: Import, name: str) -> None:
    text = (shared / "go" / f"{name}.txt").read_text(encoding="utf-8")
    found = imported("auto", shared / "go" / f"{name}.txt")
    assert len(found) == 2
    for (bench, summary), form in zip(found.items(), ("json", "gob"), strict=True):
        assert bench == f"golang.org/x/perf/cmd/benchstat/testdata.Encode/format={form}"
        wanted = [float(value) / 1e6 for value in re.findall(rf"format={form}-48\s+\d+\s+(\d+) ns/op", text)]
        assert summary.samples == (tuple(wanted),)
        assert summary.n == 10


def google_times(runs: list[Any]) -> dict[str, list[Any]]:
    """Return the runs of each bench with its key, real and CPU time apart."""
    found: dict[str, list[Any]] = {}
    for run in runs:
        name = run.get("run_name", run["name"])
        found.setdefault(name, []).append((run, "real_time"))
        if "/real_time" not in name:
            found.setdefault(f"{name} cpu_time", []).append((run, "cpu_time"))
    return found


def test_google_benchmark_takes_repetitions_and_no_aggregate(made: Path, imported: Import) -> None:
    path = made / "google-benchmark" / "repetitions.json"
    factor = {"ns": 1e-6, "ms": 1.0}
    runs = [
        run for run in parsed(path)["benchmarks"] if run["run_type"] == "iteration" and not run.get("error_occurred")
    ]
    expected: Expected = {
        name: [[run[key] * factor[run["time_unit"]] for run, key in each]] for name, each in google_times(runs).items()
    }
    assert len(expected) == 5
    assert_samples(imported("google-benchmark", path), expected)


def test_google_benchmark_of_aggregates_alone_is_their_median(made: Path, imported: Import) -> None:
    path = made / "google-benchmark" / "aggregates.json"
    factor = {"ns": 1e-6, "ms": 1.0}
    medians = [run for run in parsed(path)["benchmarks"] if run.get("aggregate_name") == "median"]
    expected = {}
    for name, ((run, key),) in google_times(medians).items():
        median = run[key] * factor[run["time_unit"]]
        expected[name] = (median, median, 4)
    assert len(expected) == 5
    assert_figures(imported("google-benchmark", path), expected)


@pytest.mark.parametrize("name", ["test1_run1", "test1_run2"])
def test_google_benchmark_of_an_old_release(shared: Path, imported: Import, name: str) -> None:
    path = shared / "google-benchmark" / f"{name}.json"
    factor = {"ns": 1e-6, "s": 1e3}
    runs = [run for run in parsed(path)["benchmarks"] if "aggregate_name" not in run]
    expected = {
        bench: [[run[key] * factor[run["time_unit"]] for run, key in each]]
        for bench, each in google_times(runs).items()
    }
    assert_samples(imported("auto", path), expected)


def test_catch2_is_the_mean_of_each_benchmark(made: Path, imported: Import) -> None:
    path = made / "catch2" / "report.xml"
    benches = ET.parse(path).getroot().iter("BenchmarkResults")  # noqa: S314 - a file of this repository
    means = {str(item.get("name")): float(item.findall("mean")[0].attrib["value"]) for item in benches}
    names = {"accumulate": "sums/accumulate", "append": "sums/of texts/append"}
    expected = {names[name]: (mean / 1e6, mean / 1e6, 10) for name, mean in means.items()}
    assert_figures(imported("catch2", path), expected)


def test_asv_has_a_bench_for_each_combination_that_has_a_figure(made: Path, imported: Import) -> None:
    (path,) = (made / "asv").glob("*/*-existing.json")
    document = parsed(path)
    columns = document["result_columns"]
    expected: Expected = {}
    for name, row in document["results"].items():
        cells = dict(zip(columns, row, strict=False))
        if cells["result"] is None:
            continue
        names = [f"{name}({', '.join(each)})" if each else name for each in itertools.product(*cells["params"])]
        for index, (bench, value) in enumerate(zip(names, cells["result"], strict=True)):
            if not math.isnan(value) and cells.get("samples"):
                expected[bench] = times([cells["samples"][index]], 1e3)
    found = imported("asv", path)
    assert_samples({name: found[name] for name in expected}, expected)
    assert len(expected) == 4
    assert {name: (item.p50, item.unit, item.better) for name, item in found.items() if name not in expected} == {
        "bench.mem_list": (document["results"]["bench.mem_list"][0][0], "B", "lower"),
        "bench.peakmem_list": (document["results"]["bench.peakmem_list"][0][0], "B", "lower"),
        "bench.track_ratio": (0.25, "ratio", "lower"),
    }


def test_asv_of_version_1(shared: Path, imported: Import) -> None:
    (path,) = (shared / "asv" / "cheetah").glob("*.json")
    results = parsed(path)["results"]
    expected = {name: (value * 1e3, value * 1e3, 1) for name, value in results.items()}
    found = imported("auto", path)
    assert_figures(found, expected)
    first = next(iter(found.values()))
    assert (first.timestamp, first.commit) == ("2013-12-10T15:20:01+00:00", "05d283b9694ed6db6e3f2df3f21d832e78bded7f")


def test_vitest(made: Path, imported: Import) -> None:
    path = made / "vitest" / "report.json"
    expected = {
        f"{group['fullName']} > {bench['name']}": (bench["median"], bench["median"], bench["sampleCount"])
        for file in parsed(path)["files"]
        for group in file["groups"]
        for bench in group["benchmarks"]
    }
    assert len(expected) == 3
    assert_figures(imported("vitest", path), expected)


def test_benchmarkjs_as_json_has_its_samples(made: Path, imported: Import) -> None:
    path = made / "benchmarkjs" / "suite.json"
    benches = [bench for bench in parsed(path) if bench["stats"]["sample"]]
    assert len(benches) == 2
    expected = {bench["name"]: times([bench["stats"]["sample"]], 1e3) for bench in benches}
    assert_samples(imported("benchmarkjs", path), expected)


def test_benchmarkjs_as_it_prints_is_a_rate(made: Path, imported: Import) -> None:
    path = made / "benchmarkjs" / "printed.txt"
    found = imported("benchmarkjs", path)
    lines = re.findall(r"^\s*(\S+) x ([\d,]+) ops/sec .*\((\d+) runs", path.read_text(encoding="utf-8"), re.MULTILINE)
    rates = {name: float(rate.replace(",", "")) for name, rate, _ in lines}
    assert_figures(found, {name: (rates[name], rates[name], int(runs)) for name, _, runs in lines})
    assert [(summary.unit, summary.better) for summary in found.values()] == [("ops/s", "higher")] * 2


def test_libtest(made: Path, imported: Import) -> None:
    path = made / "libtest" / "bench.txt"
    lines = re.findall(r"^test (\S+) +\.\.\. bench: +([\d,.]+) ns/iter", path.read_text(encoding="utf-8"), re.MULTILINE)
    medians = {name: float(median.replace(",", "")) / 1e6 for name, median in lines}
    assert len(medians) == 2
    assert_figures(imported("libtest", path), {name: (median, median, 1) for name, median in medians.items()})


def test_junit_leaves_out_what_failed_or_was_skipped(made: Path, imported: Import) -> None:
    path = made / "junit" / "pytest.xml"
    expected = {
        f"{case.get('classname')}.{case.get('name')}": [[float(str(case.get("time"))) * 1e3]]
        for case in ET.parse(path).getroot().iter("testcase")  # noqa: S314 - a file of this repository
        if len(case) == 0
    }
    assert len(expected) == 2
    assert_samples(imported("junit", path), expected)


def test_jmh_of_the_field_is_a_rate_of_which_more_is_better(shared: Path, imported: Import) -> None:
    path = shared / "jmh" / "jmh_output.json"
    (summary,) = imported("auto", path).values()
    assert summary.samples == ((3.376842765688582e9, 3.37651988895058e9, 3.375353964729294e9),)
    assert (summary.metric, summary.unit, summary.better) == ("value", "ops/s", "higher")
