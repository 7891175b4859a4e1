"""Formats that store the results of any tool: github-action-benchmark and Bencher's metric format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aether_formats import Document, ImportFileError, ImportOptions
from aether_formats.errors import FormatError
from aether_formats.exporters import bmf, github_action_benchmark, openmetrics, pytest_benchmark
from aether_formats.model import DEFAULT_OPTIONS
from aether_formats.registry import load_importer
from aether_guard.check.imported_files import Reader, import_document
from aether_schema import Summary

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from aether_formats.to_summaries import Imported

    Guard = Callable[..., subprocess.CompletedProcess[str]]

MADE = Path(__file__).parents[2] / "fixtures" / "import"
STORED = MADE / "github-action-benchmark"


def of_text(form: str, text: str, wishes: ImportOptions = DEFAULT_OPTIONS) -> Imported:
    return import_document(Document("a", text.encode()), load_importer(form), wishes)


def verdicts(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {bench["bench_id"]: bench["verdict"] for bench in json.loads(done.stdout)["benches"]}


def bare(bench_id: str = "a", statistics: tuple[Any, ...] | None = None, **fields: Any) -> Summary:
    plain = {"metric": "duration_ms", "unit": "ms", "p50": 1.5, "p95": 1.5, "n": 7}
    return Summary(
        **{"bench_id": bench_id, "timestamp": "2026-01-01T00:00:00+00:00", **plain, **fields}, statistics=statistics
    )


# github-action-benchmark


def test_stored_results_give_the_newest_entry_of_each_suite() -> None:
    found = Reader("auto").read(str(STORED / "data.js"))
    assert {item.bench_id: (item.p50, item.unit, item.better, item.statistics) for item in found.summaries} == {
        "RegExp#test": (14_500_000, "ops/s", "higher", ("mean",)),
        "start-up": (120.5, "ms", None, ("p50",)),
        "image": (41.5, "Megabytes", "lower", ("p50",)),
        "score": (88.25, "points", "higher", ("p50",)),
        "org.example.Copy.all": (152500.0, "ops/s", "higher", ("mean",)),
    }
    start_up = found.summaries[1]
    assert (start_up.notes, start_up.commit, start_up.timestamp) == (
        "range ± 3%",
        "2" * 40,
        "2026-11-17T09:00:00+00:00",
    )


def test_stored_results_are_the_same_without_the_script() -> None:
    script = (STORED / "data.js").read_bytes()
    expected = Reader("auto").read(str(STORED / "data.js"))
    for text in (script.partition(b" = ")[2], script + b";\n"):
        found = import_document(Document("a", text), load_importer("github-action-benchmark"), DEFAULT_OPTIONS)
        assert found == expected


def test_a_name_in_two_suites_is_told_apart_by_its_suite() -> None:
    data = json.loads((STORED / "external.json").read_text(encoding="utf-8"))
    data["entries"]["Other"] = data["entries"]["Benchmark"]
    names = [summary.bench_id for summary in of_text("github-action-benchmark", json.dumps(data)).summaries]
    assert names == ["Benchmark > start-up", "Benchmark > image", "Other > start-up", "Other > image"]


def test_stored_results_are_the_baseline_of_a_new_file(guard: Guard) -> None:
    options = ["--better", "lower", "--format", "json"]
    for name, status, expected in (("current", 0, "pass"), ("slower", 1, "regression")):
        paths = [STORED / "external.json", STORED / f"{name}.json"]
        done = guard("check", "--from", "github-action-benchmark", *paths, *options)
        assert (done.returncode, verdicts(done)) == (status, {"start-up": expected, "image": "pass"})


def test_a_throughput_of_jmh_is_better_high_as_its_unit_tells(guard: Guard, tmp_path: Path) -> None:
    for name, value in (("old", 100.0), ("new", 40.0)):
        benches = [{"name": "copy", "value": value, "unit": "ops/s"}]
        entry = {"commit": {"id": name}, "date": 0, "tool": "jmh", "benches": benches}
        data = {"lastUpdate": 0, "repoUrl": "", "entries": {"JMH": [entry]}}
        (tmp_path / f"{name}.js").write_text(f"window.BENCHMARK_DATA = {json.dumps(data)}", encoding="utf-8")
    done = guard("check", "--from", "auto", "old.js", "new.js", "--format", "json")
    assert (done.returncode, verdicts(done)) == (1, {"copy": "regression"})


def test_a_custom_result_in_an_unknown_unit_is_listed() -> None:
    found = Reader("github-action-benchmark").read(str(STORED / "bigger.json"))
    assert [(item.bench_id, item.p50, item.unit) for item in found.summaries] == [("requests", 1250.5, "req/s")]
    ((bench, reason),) = found.unjudged
    assert (bench, "--better" in reason) == ("score", True)


@pytest.mark.parametrize("text", ["window.BENCHMARK_DATA = {", "window.BENCHMARK_DATA = 3", "window.BENCHMARK_DATA ="])
def test_a_damaged_history_is_one_line(text: str) -> None:
    with pytest.raises(ImportFileError):
        of_text("github-action-benchmark", text)


# Bencher's metric format


def test_the_measures_of_bencher_have_units_and_directions() -> None:
    found = Reader("auto").read(str(MADE / "bmf" / "measures.json"))
    assert {item.bench_id: (item.p50, item.unit, item.lower_is_better) for item in found.summaries} == {
        "parse latency": (0.088, "ms", True),
        "parse throughput": (11363.0, "ops/s", False),
        "binary": (5242880.0, "B", True),
        "build": (12500.0, "ms", True),
        "sum instructions": (1735.0, "instructions", True),
        "sum l1-hits": (2364.0, "hits", True),
        "sum ram-hits": (3.0, "hits", True),
        "sum estimated-cycles": (2476.0, "cycles", True),
        "sum l1-hit-rate": (99.5, "%", False),
    }
    assert [bench for bench, _ in found.unjudged] == ["page"]


def test_a_measure_of_ones_own_takes_the_unit_that_is_given() -> None:
    text = '{"page": {"load": {"value": 7}, "latency": {"value": 5000000}}}'
    found = of_text("bmf", text, ImportOptions(unit="s"))
    assert {item.bench_id: item.p50 for item in found.summaries} == {"page load": 7000.0, "page latency": 5.0}


RATES = [
    {"metric": "throughput_mbs", "unit": "MB/s"},
    {"metric": "value", "unit": "req/s", "better": "higher"},
    {"metric": "value", "unit": "B/op", "better": "lower"},
]


@pytest.mark.parametrize("fields", [{}, *RATES], ids=lambda fields: fields.get("unit", "ms"))
@pytest.mark.parametrize("statistics", [None, ("p50",), ("p95",)])
def test_bmf_comes_back_with_what_it_held(fields: dict[str, Any], statistics: tuple[Any, ...] | None) -> None:
    before = bare(p95=2.5 if statistics is None else 1.5, statistics=statistics, **fields)
    (after,) = of_text("bmf", bmf.render([before])).summaries
    for key in ("bench_id", "metric", "unit", "better", "p50", "p95", "statistics"):
        assert getattr(after, key) == getattr(before, key)


# Exports of summaries that hold one statistic


def test_github_action_benchmark_comes_back_with_its_values() -> None:
    before = [bare("a", p50=1.5), bare("b", ("mean",), p50=2.5, p95=2.5)]
    text = github_action_benchmark.render(before)
    assert [item.p50 for item in of_text("github-action-benchmark", text).summaries] == [1.5, 2.5]
    assert [result["extra"] for result in json.loads(text)] == ["p95: 1.5 ms\nsamples: 7", "value: mean\nsamples: 7"]


def test_no_export_invents_a_p95() -> None:
    assert json.loads(bmf.render([bare(statistics=("p50",))])) == {"a": {"latency": {"value": 1.5e6}}}
    assert "0.95" not in openmetrics.render([bare(statistics=("p50",))])
    assert 'statistic="mean"' in openmetrics.render([bare(statistics=("mean",))])


def test_pytest_benchmark_files_need_a_median() -> None:
    with pytest.raises(FormatError, match="no median"):
        pytest_benchmark.render([bare(statistics=("mean",))])
