from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from aether_formats import Document
from aether_formats.registry import all_importers, detect_format
from aether_guard.check.imported_files import Reader

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from aether_formats.to_summaries import Imported
    from aether_schema import Summary

    Import = Callable[..., dict[str, Summary]]
    Guard = Callable[..., subprocess.CompletedProcess[str]]

HEADER = "goos: linux\ngoarch: amd64\npkg: a\ncpu: X\n"


def read(tmp_path: Path, text: str) -> Imported:
    path = tmp_path / "bench.txt"
    path.write_text(text, encoding="utf-8")
    return Reader("go").read(str(path))


def benches(tmp_path: Path, text: str) -> dict[str, int]:
    return {summary.bench_id: summary.n for summary in read(tmp_path, text).summaries}


def output_of(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".txt":
        return text
    return "".join(json.loads(line).get("Output", "") for line in text.splitlines())


@pytest.mark.parametrize("name", ["prints.txt", "prints_verbose.txt", "prints.json"])
def test_the_figures_of_a_benchmark_that_prints_are_found(made: Path, imported: Import, name: str) -> None:
    path = made / "go" / name
    # In this order, and two of each: figures end a line, whatever stands before them.
    times = [float(time) for time in re.findall(r" 100\t *([\d.]+) ns/op", output_of(path))]
    found = imported("auto", path)
    names = ("Line", "Word", "Log", "Sub/x", "Quiet")
    for index, bench in enumerate(names):
        wanted = tuple(time / 1e6 for time in times[2 * index : 2 * index + 2])
        assert found[f"example.org/more/prints.{bench}"].samples == (wanted,)
    assert len(times) == 10


def test_a_metric_without_a_direction_is_listed_as_not_judged(made: Path) -> None:
    found = Reader("go").read(str(made / "go" / "prints.txt"))
    ((name, reason),) = found.unjudged
    assert name == "example.org/more/prints.Quiet points"
    assert "add --better lower or --better higher" in reason


@pytest.mark.parametrize("name", ["fails.txt", "fails.json"])
def test_packages_and_benchmarks_that_failed_are_named(guard: Guard, made: Path, name: str) -> None:
    path = made / "go" / name
    done = guard("check", "--from", "auto", path, path)
    assert done.returncode == 2
    assert "example.org/more/fails.Fails: 1 of 1 runs failed" in done.stderr
    assert "example.org/more/exits: 1 of 1 runs failed: the package failed: exit status 3" in done.stderr
    assert re.search(r"example\.org/more/panics\S*: 1 of 1 runs failed: .*panic: on purpose", done.stderr)


def test_a_package_that_was_not_built_is_a_failure(tmp_path: Path) -> None:
    text = (
        f"{HEADER}BenchmarkA 1 5 ns/op\nPASS\nok  \ta\t0.1s\n# b\nb.go:3: undefined: c\nFAIL\tb [build failed]\nFAIL\n"
    )
    found = read(tmp_path, text)
    assert [name for name, _ in found.failed] == ["b"]
    assert "the package failed: [build failed]" in found.failed[0][1]
    assert [summary.bench_id for summary in found.summaries] == ["a.A"]


def test_tests_that_failed_before_the_benchmarks_are_a_failure(tmp_path: Path) -> None:
    text = f"{HEADER}BenchmarkA 1 5 ns/op\nPASS\nok  \ta\t0.1s\n--- FAIL: TestB (0.00s)\nFAIL\nFAIL\tb\t0.1s\nFAIL\n"
    assert "the package failed: TestB failed" in dict(read(tmp_path, text).failed)["b"]


def test_a_skipped_benchmark_is_not_judged(made: Path) -> None:
    found = Reader("go").read(str(made / "go" / "fails.json"))
    assert ("example.org/more/skips.Skips", "skipped") in found.unjudged


def test_figures_that_are_lost_are_said_to_be(tmp_path: Path) -> None:
    found = read(tmp_path, f"{HEADER}BenchmarkA-2 \ta line\nanother\nBenchmarkB-2 \t 10\t 5 ns/op\nPASS\n")
    ((name, reason),) = found.unjudged
    assert name == "a.A"
    assert reason.startswith("no figures behind its name")
    assert [summary.bench_id for summary in found.summaries] == ["a.B"]


def test_what_a_benchmark_prints_is_no_figure_of_it(tmp_path: Path) -> None:
    printed = "read 10 3.5 MB\n100 5 items\nsize: 3\n"
    text = f"{HEADER}BenchmarkA-2 \t{printed}      10\t   5.0 ns/op\n"
    (summary,) = read(tmp_path, text * 2).summaries
    assert (summary.bench_id, summary.samples) == ("a.A", ((5e-6, 5e-6),))


def test_settings_within_a_file_tell_results_apart(made: Path, imported: Import) -> None:
    path = made / "go" / "settings.txt"
    found = imported("auto", path)
    times = [float(time) / 1e6 for time in re.findall(r"([\d.]+) ns/op", path.read_text(encoding="utf-8"))]
    assert {name: summary.samples for name, summary in found.items()} == {
        "example.org/more/pair.Same [gcflags=-N -l]": (tuple(times[:3]),),
        "example.org/more/pair.Same [gcflags=]": (tuple(times[3:]),),
    }


def test_the_same_benchmark_on_another_processor_is_another_bench(tmp_path: Path) -> None:
    other = HEADER.replace("cpu: X", "cpu: Y")
    text = f"{HEADER}BenchmarkA 1 5 ns/op\nBenchmarkB 1 5 ns/op\n{other}BenchmarkA 1 9 ns/op\n"
    assert benches(tmp_path, text) == {"a.A [cpu=X]": 1, "a.A [cpu=Y]": 1, "a.B": 1}
    assert benches(tmp_path, f"{HEADER}BenchmarkA 1 5 ns/op\n" * 2) == {"a.A": 2}


def test_a_setting_of_no_value_ends_it(tmp_path: Path) -> None:
    text = (
        "note: x\nBenchmarkA 1 5 ns/op\nnote:\nBenchmarkA 1 5 ns/op\nhttp://x\nNote: y\na b: c\nBenchmarkA 1 5 ns/op\n"
    )
    assert benches(tmp_path, text) == {"A [note=x]": 1, "A [note=]": 2}


def test_numbers_of_processors_are_part_of_the_name_where_they_differ(tmp_path: Path) -> None:
    lines = "".join(f"BenchmarkA{suffix} 1 5 ns/op\n" for suffix in ("", "-2", "-4"))
    assert list(benches(tmp_path, HEADER + lines)) == ["a.A", "a.A-2", "a.A-4"]


def test_a_line_of_units_gives_a_direction(tmp_path: Path) -> None:
    text = "Unit points better=higher assume=exact\nBenchmarkA 1 5 ns/op 3 points 4 p50-ns\n"
    found = read(tmp_path, text)
    assert {summary.bench_id: summary.lower_is_better for summary in found.summaries} == {"A": True, "A points": False}
    assert [name for name, _ in found.unjudged] == ["A p50-ns"]


def test_code_that_became_slower_is_found(guard: Guard, made: Path) -> None:
    old, new = (made / "go" / f"{name}.txt" for name in ("old", "new"))
    done = guard("check", "--from", "auto", old, new, "--format", "json")
    assert done.returncode == 1
    verdicts = {bench["bench_id"]: bench["verdict"] for bench in json.loads(done.stdout)["benches"]}
    assert verdicts["example.org/more/pair.Sum"] == "regression"
    assert verdicts["example.org/more/pair.Sum MB/s"] == "regression"
    assert verdicts["example.org/more/pair.Same"] != "regression"
    assert guard("check", "--from", "auto", old, old).returncode == 0


@pytest.mark.parametrize(
    "text",
    [
        "BenchmarkA-2 \tprinted\n     100\t     5.0 ns/op\n",
        "wordBenchmarkA-2   \tword     100\t      1214 ns/op\n",
        f"{HEADER}--- FAIL: BenchmarkA\n    a_test.go:1: b\nFAIL\n",
        '{"ImportPath":"a","Action":"build-output"}\n{"Action":"output","Package":"a","Output":"BenchmarkA 1 5 ns/op"}',
    ],
    ids=["on a later line", "behind a word", "failed", "after events of a build"],
)
def test_output_without_a_line_of_name_and_figures_is_recognised(text: str) -> None:
    assert detect_format(Document("a.txt", text.encode()), all_importers())[0] == "go"
