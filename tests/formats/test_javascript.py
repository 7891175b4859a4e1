"""Vitest, tinybench, mitata and Benchmark.js: every release's file, read here a second, plain way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aether_formats import Document
from aether_formats.model import DEFAULT_OPTIONS
from aether_formats.registry import load_importer
from aether_guard.check.imported_files import Reader, import_document

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from aether_formats.to_summaries import Imported
    from aether_schema import Summary

    Guard = Callable[..., subprocess.CompletedProcess[str]]
    Import = Callable[..., dict[str, Summary]]

MADE = Path(__file__).parents[2] / "fixtures" / "import"


def parsed(path: str) -> Any:
    return json.loads((MADE / path).read_text(encoding="utf-8"))


def read(form: str, path: str) -> Imported:
    return Reader(form).read(str(MADE / path))


def of_text(form: str, text: str) -> Imported:
    return import_document(Document("a", text.encode()), load_importer(form), DEFAULT_OPTIONS)


def figures(found: Imported) -> dict[str, tuple[tuple[str, ...] | None, float, int]]:
    return {item.bench_id: (item.statistics, item.p50, item.n) for item in found.summaries}


# Vitest


def test_the_first_vitest_has_a_mean_and_no_median() -> None:
    (loop, throws) = parsed("vitest/failing_1.json")["files"][0]["groups"][0]["benchmarks"]
    found = read("vitest", "vitest/failing_1.json")
    name = "failing.bench.mjs > sum > loop"
    assert figures(found) == {name: (("mean",), pytest.approx(loop["mean"], rel=1e-15), loop["sampleCount"])}
    assert (throws["name"], throws["sampleCount"]) == ("throws", 0)
    problem = "the benchmark failed; nothing is left to judge"
    assert found.failed == (("failing.bench.mjs > sum > throws", problem),)


@pytest.mark.parametrize("name", ["old", "same", "slower"])
def test_later_vitests_have_a_median(name: str) -> None:
    (group,) = parsed(f"vitest/{name}.json")["files"][0]["groups"]
    assert figures(read("auto", f"vitest/{name}.json")) == {
        f"pair.bench.mjs > work > {bench['name']}": (("p50",), pytest.approx(bench["median"]), bench["sampleCount"])
        for bench in group["benchmarks"]
    }


def test_vitest_4_names_a_benchmark_that_failed() -> None:
    assert [bench for bench, _ in read("vitest", "vitest/failing_4.json").failed] == [
        "failing.bench.mjs > sum > throws"
    ]


def test_vitest_5_has_the_benches_of_its_tests() -> None:
    found = read("auto", "vitest/five.json")
    expected = {}
    for test in parsed("vitest/five.json")["testResults"][0]["assertionResults"]:
        for comparison in test["benchmarks"] if test["status"] == "passed" else ():
            for task in comparison["tasks"]:
                latency = task["latency"]
                name = f"five.bench.mjs > {comparison['name']} > {task['name']}"
                expected[name] = (("p50",), pytest.approx(latency["p50"], rel=1e-15), latency["samplesCount"])
    assert len(expected) == 3
    assert figures(found) == expected


def test_vitest_5_failed_and_skipped_tests_are_listed() -> None:
    found = read("vitest", "vitest/five.json")
    failed = dict(found.failed)
    assert set(failed) == {
        "five.bench.mjs > work > throws",
        "five.bench.mjs > work > loses > parse",
        "five.bench.mjs > work > loses > nothing",
    }
    assert failed["five.bench.mjs > work > throws"].startswith("the test failed: Error: on purpose; ")
    assert "\x1b" not in failed["five.bench.mjs > work > loses > parse"]
    assert found.unjudged == (("five.bench.mjs > work > left out", "skipped by the test file"),)


def test_vitest_5_keeps_samples_where_they_were_retained() -> None:
    tests = parsed("vitest/five_old.json")["testResults"][0]["assertionResults"]
    samples = [tuple(test["benchmarks"][0]["tasks"][0]["latency"]["samples"]) for test in tests[:2]]
    assert [summary.samples for summary in read("vitest", "vitest/five_old.json").summaries] == [
        (samples[0],),
        (samples[1],),
    ]


def test_vitest_5_names_do_not_tell_the_folder() -> None:
    report = parsed("vitest/five_old.json")
    (module,) = report["testResults"]
    module["name"] = "/home/runner/work/src/a/five.bench.mjs"
    report["testResults"].append({**module, "name": "C:\\work\\src\\b\\five.bench.mjs"})
    found = of_text("vitest", json.dumps(report))
    names = [summary.bench_id for summary in found.summaries]
    assert names[::2] == ["a/five.bench.mjs > work > alone > parse", "b/five.bench.mjs > work > alone > parse"]


def test_vitest_5_file_that_did_not_load_is_an_error() -> None:
    report = parsed("vitest/five_old.json")
    report["testResults"] = [
        {"assertionResults": [], "status": "failed", "message": "bench is not a function", "name": "/a/b.bench.js"}
    ]
    document = Document("a", json.dumps(report).encode())
    assert load_importer("vitest").matches(document)
    (failure,) = import_document(document, load_importer("vitest"), DEFAULT_OPTIONS).failed
    assert failure == ("b.bench.js", "the test failed: bench is not a function; nothing is left to judge")


def test_vitest_5_ordinary_tests_are_no_benches() -> None:
    report = parsed("vitest/five_old.json")
    test = {"title": "adds", "status": "skipped", "ancestorTitles": [""], "failureMessages": [], "benchmarks": []}
    report["testResults"].append(
        {"assertionResults": [test], "status": "passed", "message": "", "name": "/a/sum.test.js"}
    )
    found = of_text("vitest", json.dumps(report))
    assert (len(found.summaries), found.failed, found.unjudged) == (2, (), ())


def test_the_last_attempt_of_a_retried_vitest_5_test_counts() -> None:
    report = parsed("vitest/five_old.json")
    test = report["testResults"][0]["assertionResults"][0]
    first, last = (json.loads(json.dumps(test["benchmarks"][0])) for _ in range(2))
    last["tasks"][0]["latency"] = {"p50": 2.0, "samplesCount": 5}
    test |= {"benchmarks": [first, last], "failureMessages": ["Error: flaky"]}
    found = figures(of_text("vitest", json.dumps(report)))
    assert found["five.bench.mjs > work > alone > parse"] == (("p50",), 2.0, 5)
    assert len(found) == 2


def test_vitest_5_stored_results_were_not_measured_now() -> None:
    report = parsed("vitest/five_old.json")
    tasks = report["testResults"][0]["assertionResults"][0]["benchmarks"][0]["tasks"]
    tasks.append({**tasks[0], "name": "before", "fromStore": True})
    assert len(of_text("vitest", json.dumps(report)).summaries) == 2


# tinybench


@pytest.mark.parametrize("release", [2, 3])
def test_tinybench_tasks_have_their_samples(release: int) -> None:
    tasks = parsed(f"tinybench/tasks_{release}.json")
    found = read("auto", f"tinybench/tasks_{release}.json")
    assert {item.bench_id: item.samples for item in found.summaries} == {
        task["name"]: (tuple(task["result"]["samples"]),) for task in tasks[:2]
    }
    assert found.failed == (("throws", "the task failed; nothing is left to judge"),)


def test_tinybench_tasks_of_release_6_have_a_median() -> None:
    tasks = parsed("tinybench/tasks_6.json")
    found = read("auto", "tinybench/tasks_6.json")
    assert figures(found) == {
        task["name"]: (("p50",), task["result"]["latency"]["p50"], task["result"]["latency"]["samplesCount"])
        for task in tasks[:2]
    }
    assert found.failed == (("throws", "the task failed; nothing is left to judge"),)
    (node,) = {(summary.environment or {})["node"] for summary in found.summaries}
    assert node == tasks[0]["result"]["runtimeVersion"]


def test_tinybench_tasks_of_release_6_may_retain_samples() -> None:
    tasks = parsed("tinybench/old.json")
    assert {item.bench_id: item.samples for item in read("tinybench", "tinybench/old.json").summaries} == {
        task["name"]: (tuple(task["result"]["latency"]["samples"]),) for task in tasks
    }


def test_tinybench_tables_are_in_nanoseconds() -> None:
    rows = parsed("tinybench/table_2.json")
    means = {row["Task Name"]: row["Average Time (ns)"] / 1e6 for row in rows}
    assert figures(read("auto", "tinybench/table_2.json")) == {
        row["Task Name"]: (("mean",), pytest.approx(means[row["Task Name"]]), row["Samples"]) for row in rows
    }
    for release in (3, 6):
        rows = parsed(f"tinybench/table_{release}.json")
        medians = {row["Task name"]: float(row["Latency med (ns)"].split()[0]) / 1e6 for row in rows}
        assert figures(read("auto", f"tinybench/table_{release}.json")) == {
            row["Task name"]: (("p50",), pytest.approx(medians[row["Task name"]]), row["Samples"]) for row in rows
        }


def test_tinybench_table_names_what_failed() -> None:
    found = read("tinybench", "tinybench/failing_table.json")
    assert found.failed == (("throws", "the task failed: on purpose; nothing is left to judge"),)


@pytest.mark.parametrize(
    ("result", "failed", "unjudged"),
    [
        ({"state": "aborted"}, "the task was aborted; nothing is left to judge", None),
        ({"state": "aborted-with-statistics", "latency": {"p50": 1.0}}, "the task was aborted; --allow", None),
        ({"state": "errored", "error": {"message": "out of memory"}}, "the task failed: out of memory; ", None),
        ({"state": "not-started"}, None, "skipped: it did not run"),
        (None, None, "skipped: it did not run"),
    ],
)
def test_a_tinybench_task_without_a_full_result(result: Any, failed: str | None, unjudged: str | None) -> None:
    tasks = [{"name": "a", "result": {"state": "completed", "latency": {"p50": 1.0}}}, {"name": "b", "result": result}]
    found = of_text("tinybench", json.dumps(tasks))
    assert [problem.startswith(failed or "") for _, problem in found.failed] == [True] * (failed is not None)
    assert [reason for _, reason in found.unjudged] == ([] if unjudged is None else [unjudged])


def test_a_tinybench_table_may_hold_a_count_that_is_none() -> None:
    rows = [{"Task name": "a", "Latency med (ns)": "5 ± 1", "Samples": count} for count in (True, "N/A", 7)]
    assert [summary.n for summary in of_text("tinybench", json.dumps(rows)).summaries] == [1, 1, 7]


# mitata


def test_mitata_has_its_samples_by_group_and_name() -> None:
    report = parsed("mitata/failing.json")
    found = read("auto", "mitata/failing.json")
    runs = {run["name"]: run for bench in report["benchmarks"] for run in bench["runs"]}
    names = {"parse": "parse", "sort": "inner > sort", "fill 50": "fill 50", "fill 100": "fill 100"}
    assert {item.bench_id for item in found.summaries} == set(names.values())
    for item in found.summaries:
        name = next(ours for ours, bench in names.items() if bench == item.bench_id)
        assert item.samples == (pytest.approx([value / 1e6 for value in runs[name]["stats"]["samples"]]),)
    assert found.failed == (("inner > throws", "the benchmark failed: on purpose; nothing is left to judge"),)
    context = report["context"]
    assert found.summaries[0].environment == {
        "cpu_model": context["cpu"]["name"],
        "machine": "x64-linux",
        "node": context["version"],
    }


def test_mitata_without_samples_is_its_median() -> None:
    runs = [run for bench in parsed("mitata/no_samples.json")["benchmarks"] for run in bench["runs"]]
    medians = [run["stats"]["p50"] / 1e6 for run in runs if "stats" in run]
    found = read("mitata", "mitata/no_samples.json")
    assert [(item.statistics, item.p50) for item in found.summaries] == [
        (("p50",), pytest.approx(median)) for median in medians
    ]


def test_mitata_before_its_first_release_is_read_too() -> None:
    report = parsed("mitata/before_1.json")
    found = read("auto", "mitata/before_1.json")
    assert [item.bench_id for item in found.summaries] == ["parse", "inner > sort"]
    assert [item.samples for item in found.summaries] == [
        (pytest.approx([value / 1e6 for value in bench["stats"]["samples"]]),) for bench in report["benchmarks"][:2]
    ]
    assert found.failed == (("inner > throws", "the benchmark failed: on purpose; nothing is left to judge"),)
    assert (found.summaries[0].environment or {})["node"] == report["runtime"].split()[1].removeprefix("v")


# Benchmark.js


def test_benchmarkjs_prints_the_inverse_of_a_mean() -> None:
    found = read("benchmarkjs", "benchmarkjs/printed.txt")
    assert {item.statistics for item in found.summaries} == {("mean",)}
    assert found.failed == (("throws", "the benchmark failed; nothing is left to judge"),)


@pytest.mark.parametrize("line", ["throws: message: on purpose, name: Error", "throws: TypeError: on purpose"])
def test_benchmarkjs_prints_an_error_behind_a_name(line: str) -> None:
    found = of_text("benchmarkjs", f"Suite: text\na x 10 ops/sec ±1.0% (5 runs sampled)\n{line}\nFastest is a\n")
    ((name, problem),) = found.failed
    assert (name, "on purpose" in problem, len(found.summaries)) == ("throws", True, 1)


def test_benchmarkjs_as_json_names_what_failed() -> None:
    found = read("benchmarkjs", "benchmarkjs/suite.json")
    assert found.failed == (("throws", "the benchmark failed: Error: on purpose; nothing is left to judge"),)
    assert len(found.summaries) == 2


# Verdicts


@pytest.mark.parametrize(
    ("form", "old", "slower", "bench"),
    [
        ("vitest", "old", "slower", "pair.bench.mjs > work > parse"),
        ("tinybench", "old", "slower", "parse"),
        ("mitata", "old", "slower", "parse"),
    ],
)
def test_the_slower_half_of_a_pair_is_a_regression(guard: Guard, form: str, old: str, slower: str, bench: str) -> None:
    paths = [MADE / form / f"{name}.json" for name in (old, slower)]
    done = guard("check", "--from", "auto", *paths, "--format", "json")
    verdicts = {item["bench_id"]: item["verdict"] for item in json.loads(done.stdout)["benches"]}
    assert (done.returncode, verdicts[bench]) == (1, "regression")
    assert set(verdicts.values()) <= {"regression", "pass", "inconclusive"}


@pytest.mark.parametrize("form", ["vitest", "tinybench", "mitata"])
def test_the_same_code_again_is_no_regression(guard: Guard, form: str) -> None:
    done = guard("check", "--from", form, MADE / form / "old.json", MADE / form / "same.json")
    assert done.returncode == 0


def test_a_bench_that_failed_is_an_error_and_not_fast(guard: Guard, tmp_path: Path) -> None:
    for name in ("tasks_6", "old"):
        shutil.copy(MADE / "tinybench" / f"{name}.json", tmp_path)
    done = guard("check", "--from", "tinybench", "old.json", "tasks_6.json")
    assert done.returncode == 2
    assert "tasks_6.json: throws: the task failed" in done.stderr
