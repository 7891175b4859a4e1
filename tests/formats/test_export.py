from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aether_formats import Document, ImportOptions
from aether_formats.errors import FormatError
from aether_formats.exporters import bmf, csv_table, github_action_benchmark, openmetrics, pytest_benchmark
from aether_formats.registry import load_importer
from aether_guard.check.imported_files import import_document
from aether_schema import Summary, quantile

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    Guard = Callable[..., subprocess.CompletedProcess[str]]

DURATION = {"metric": "duration_ms", "unit": "ms"}
THROUGHPUT = {"metric": "throughput_mbs", "unit": "MB/s"}


def summary(bench_id: str, rounds: tuple[tuple[float, ...], ...] | None = None, **fields: object) -> Summary:
    flat = [value for values in rounds or () for value in values] or [1.5, 2.0]
    plain = {"timestamp": "2026-01-01T00:00:00+00:00", "samples": rounds, "n": len(flat)}
    kept = {**DURATION, "p50": quantile(flat, 0.5), "p95": quantile(flat, 0.95)}
    return Summary(**{"bench_id": bench_id, **plain, **kept, **fields})  # type: ignore[arg-type]


def back(form: str, text: str, wishes: ImportOptions = ImportOptions()) -> list[Summary]:  # noqa: B008 - a frozen value
    return list(import_document(Document("text", text.encode()), load_importer(form), wishes).summaries)


SAMPLED = summary("a::b[1]", ((1.25, 1.5), (1.75, 2.5)))
BARE = summary('bare, "quoted"', metric="value", unit="points", better="higher")
RATE = summary("rate", ((100.0, 110.0, 120.0),), **THROUGHPUT)


def test_csv_comes_back_as_it_was() -> None:
    found = back("csv", csv_table.render([SAMPLED, BARE, RATE]))
    for before, after in zip([SAMPLED, BARE, RATE], found, strict=True):
        for key in ("bench_id", "metric", "unit", "p50", "p95", "n", "samples", "better"):
            assert getattr(after, key) == getattr(before, key)


FORMULA = st.sampled_from(["=", "+", "-", "@", "\t", "\r", "'", "'=", "''=", "", "a"])


@given(
    name=st.builds(str.__add__, FORMULA, st.text("=+-@'\"; ,a:1", min_size=1, max_size=9)),
    commit=st.builds(str.__add__, FORMULA, st.text(max_size=9)),
)
@example(name='=HYPERLINK("http://x")', commit="=1+1")
@example(name="a", commit="\r\n::error::x")
def test_no_cell_of_a_csv_is_a_formula_and_every_name_comes_back(name: str, commit: str) -> None:
    name = " ".join(name.split()) or "a"
    text = csv_table.render([summary(name, ((1.0, 2.0),), commit=commit), summary("bare")])
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    assert not [cell for cell in cells if cell[:1] in set("=+-@\t\r")]
    assert not [line for line in text.splitlines() if line.lstrip().startswith("::")]
    assert [after.bench_id for after in back("csv", text)] == [name, "bare"]


def test_the_numbers_of_a_csv_stay_numbers() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_table.render([SAMPLED, BARE]))))
    assert [float(row["value"]) for row in rows] == [1.25, 1.5, 1.75, 2.5, 1.75]
    assert "'" not in csv_table.render([SAMPLED, BARE])


@given(st.lists(st.lists(st.floats(min_value=0, max_value=1e9), min_size=1, max_size=4), min_size=1, max_size=4))
def test_no_sample_changes_on_its_way_through_a_csv(rounds: list[list[float]]) -> None:
    before = summary("a", tuple(map(tuple, rounds)))
    (after,) = back("csv", csv_table.render([before]))
    assert after.samples == before.samples


def test_pytest_benchmark_comes_back_with_its_samples() -> None:
    text = pytest_benchmark.render([SAMPLED])
    (after,) = back("pytest-benchmark", text)
    assert after.bench_id == "a::b[1]"
    assert after.samples == ((1.25, 1.5, 1.75, 2.5),)
    stats = json.loads(text)["benchmarks"][0]["stats"]
    assert (stats["min"], stats["median"], stats["max"]) == pytest.approx((0.00125, 0.001625, 0.0025))
    assert stats["mean"] == pytest.approx(0.00175)
    assert stats["ops"] == pytest.approx(1 / 0.00175)


def test_pytest_benchmark_has_no_place_for_what_is_no_duration() -> None:
    with pytest.raises(FormatError, match=r"^rate: a throughput_mbs in MB/s has no place in pytest-benchmark"):
        pytest_benchmark.render([RATE])


def test_bmf_has_durations_in_nanoseconds() -> None:
    assert json.loads(bmf.render([SAMPLED, RATE])) == {
        "a::b[1]": {"latency": {"value": 1.625e6}, "latency-p95": {"value": pytest.approx(2.3875e6)}},
        "rate": {"mb-s": {"value": 110.0}, "mb-s-p95": {"value": 119.0}},
    }


def test_github_action_benchmark_holds_one_direction() -> None:
    with pytest.raises(FormatError, match="--better lower"):
        github_action_benchmark.render([SAMPLED, RATE])
    (result,) = json.loads(github_action_benchmark.render([RATE]))
    assert (result["name"], result["unit"], result["value"]) == ("rate", "MB/s", 110.0)


def test_openmetrics_is_in_base_units_and_escaped() -> None:
    assert openmetrics.render([SAMPLED, RATE, BARE]).splitlines() == [
        "# TYPE aether_bench_duration_seconds gauge",
        "# UNIT aether_bench_duration_seconds seconds",
        "# HELP aether_bench_duration_seconds How long an operation takes.",
        'aether_bench_duration_seconds{bench="a::b[1]",better="lower",quantile="0.5"} 0.001625',
        'aether_bench_duration_seconds{bench="a::b[1]",better="lower",quantile="0.95"} 0.0023875',
        "# TYPE aether_bench_throughput_bytes_per_second gauge",
        "# UNIT aether_bench_throughput_bytes_per_second bytes_per_second",
        "# HELP aether_bench_throughput_bytes_per_second How much goes through.",
        'aether_bench_throughput_bytes_per_second{bench="rate",better="higher",quantile="0.5"} 110000000.0',
        'aether_bench_throughput_bytes_per_second{bench="rate",better="higher",quantile="0.95"} 119000000.0',
        "# TYPE aether_bench_value gauge",
        "# HELP aether_bench_value A figure in the unit of its label.",
        'aether_bench_value{bench="bare, \\"quoted\\"",better="higher",unit="points",quantile="0.5"} 1.75',
        'aether_bench_value{bench="bare, \\"quoted\\"",better="higher",unit="points",quantile="0.95"} 1.975',
        "# TYPE aether_bench_samples gauge",
        "# HELP aether_bench_samples How many samples the figures are of.",
        'aether_bench_samples{bench="a::b[1]"} 4',
        'aether_bench_samples{bench="rate"} 3',
        'aether_bench_samples{bench="bare, \\"quoted\\""} 2',
        "# EOF",
    ]


def test_the_command_writes_a_file_or_the_output(guard: Guard, write: Callable[..., str]) -> None:
    write("a/bench-pack.json", p50=1.0)
    printed = guard("export", "bmf", "a")
    assert json.loads(printed.stdout) == {"packaging": {"latency": {"value": 1e6}, "latency-p95": {"value": 1e7}}}
    assert guard("export", "bmf", "a", "-o", "out.json").stdout == ""
    assert guard("import", "bmf", "out.json", "--better", "lower", "--out", "b").returncode == 0


@pytest.mark.parametrize("form", ["bmf", "csv", "github-action-benchmark", "openmetrics", "pytest-benchmark"])
@pytest.mark.parametrize(
    ("key", "fields"),
    [
        ("p50", {"p50": 1e308, "p95": 1.7e308}),
        ("p95", {"p50": 1.0, "p95": 1e151}),
        ("p50", {"p50": 1e-310, "p95": 1.0}),
        ("samples", {"p50": 1.0, "p95": 1.0, "n": 60, "samples": [[1.0] * 59 + [1.7e308]]}),
    ],
)
def test_a_figure_that_no_tool_can_hold_is_one_line(
    guard: Guard, write: Callable[..., str], form: str, key: str, fields: dict[str, object]
) -> None:
    path = write("a.json", **fields)
    done = guard("export", form, path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"aether-guard: error: a.json: {key}: ")
    assert done.stderr.count("\n") == 1


def test_what_cannot_be_exported_is_one_line(guard: Guard, write: Callable[..., str]) -> None:
    write("a/bench-pack.json")
    write("a/bench-rate.json", throughput=True, bench_id="rate")
    for arguments, said in (
        (["github-action-benchmark", "a"], "add --better lower"),
        (["pytest-benchmark", "a"], "rate: a throughput_mbs"),
        (["bmf", "nowhere"], "nowhere: no such file"),
    ):
        done = guard("export", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
    assert guard("export", "github-action-benchmark", "a", "--better", "higher").returncode == 0
