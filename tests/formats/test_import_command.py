from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aether_schema import read_summary

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    Guard = Callable[..., subprocess.CompletedProcess[str]]

MADE = Path(__file__).parents[2] / "fixtures" / "import"
TWO = MADE / "hyperfine" / "two.json"


def slowed(tmp_path: Path, factor: float, **changes: Any) -> str:
    """Write the hyperfine file with every time of its second command multiplied."""
    report = json.loads(TWO.read_text(encoding="utf-8"))
    for result in report["results"]:
        result["times"] = [0.01, 0.0101, 0.0102, 0.0103, 0.0101, 0.01, 0.0102, 0.0101]
    report["results"][1]["times"] = [value * factor for value in report["results"][1]["times"]]
    for result in report["results"]:
        result.update(changes)
    path = tmp_path / f"slowed-{factor}.json"
    path.write_text(json.dumps(report), encoding="utf-8")
    return path.name


def test_import_writes_a_summary_a_bench_and_says_so(guard: Guard, tmp_path: Path) -> None:
    done = guard("import", "auto", TWO, "--out", "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2
    names = sorted(os.listdir(tmp_path / "out"))
    assert [read_summary(tmp_path / "out" / name).bench_id for name in names] == ["sleep 0.01", "true"]
    assert guard("validate", "out").returncode == 0
    assert guard("check", "out", "out").returncode == 0


def test_a_file_of_many_benches_is_written_whole(guard: Guard, tmp_path: Path) -> None:
    results = [{"command": f"c{number:03}", "mean": 1.0 + number, "times": [1.0 + number]} for number in range(60)]
    (tmp_path / "many.json").write_text(json.dumps({"results": results}), encoding="utf-8")
    done = guard("import", "hyperfine", "many.json", "--out", "out")
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == [f"c{number:03}" for number in range(60)]
    found = [read_summary(path) for path in sorted((tmp_path / "out").iterdir())]
    assert [summary.p50 for summary in found] == [1000.0 * (1 + number) for number in range(60)]


def test_nothing_is_written_where_a_file_cannot_be_read(guard: Guard, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text('{"results": [', encoding="utf-8")
    done = guard("import", "hyperfine", TWO, "broken.json", "--out", "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "aether-guard: error: broken.json: empty or truncated JSON\n"
    assert not (tmp_path / "out").exists()


def test_several_files_of_a_bench_are_processes_of_it(guard: Guard, tmp_path: Path) -> None:
    shutil.copy(TWO, tmp_path / "again.json")
    done = guard("import", "hyperfine", TWO, "again.json", "--out", "out")
    assert (done.returncode, done.stderr) == (0, "")
    once = [result["times"] for result in json.loads(TWO.read_text())["results"] if result["command"] == "true"]
    pooled = json.loads((tmp_path / "out" / "bench-true.json").read_text())
    assert pooled["samples"] == [[time * 1e3] for time in once[0] * 2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["import"], "give FORMAT, FILE and --out DIR, or --list"),
        (["import", "hyperfine", "a"], "give FORMAT, FILE and --out DIR, or --list"),
        (["import", "hyperfin", "a", "--out", "b"], "hyperfin: no such format; did you mean hyperfine?"),
        (["import", "csv", "a", "--out", "b", "--column", "x=y"], "--column x=y: write WHAT=NAME"),
        (["check", "--better", "lower", "a", "b"], "--better needs --from FORMAT"),
        (["check", "--from", "nope", "a", "b"], "nope: no such format"),
        (["check", "--from", "auto", "a"], "paths come in pairs"),
        (["check", "--from", "auto", "a", "b"], "a: no such file"),
    ],
)
def test_what_is_asked_wrongly_is_said_in_a_line(guard: Guard, arguments: list[str], said: str) -> None:
    done = guard(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_check_judges_other_tools_files_as_they_are(guard: Guard, tmp_path: Path) -> None:
    before, after = slowed(tmp_path, 1.0), slowed(tmp_path, 1.5)
    for form in ("hyperfine", "auto"):
        done = guard("check", "--from", form, before, after, "--format", "json")
        assert done.returncode == 1, done.stderr
        benches = {bench["bench_id"]: bench for bench in json.loads(done.stdout)["benches"]}
        verdicts = {name: bench["verdict"] for name, bench in benches.items()}
        assert verdicts == {"true": "pass", "sleep 0.01": "regression"}
        assert benches["sleep 0.01"]["change"] == pytest.approx(0.5)
        assert guard("check", "--from", form, before, before).returncode == 0


def test_check_goes_by_the_configuration_where_no_file_is_named(guard: Guard, tmp_path: Path) -> None:
    before, after = slowed(tmp_path, 1.0), slowed(tmp_path, 1.5)
    assert guard("import", "hyperfine", before, "--out", "baseline").returncode == 0
    table = f'[guard]\nbaseline = ["baseline"]\ncurrent = ["{after}"]\n'
    (tmp_path / "aether.toml").write_text(table, encoding="utf-8")
    assert guard("check", "--from", "hyperfine").returncode == 1


def test_a_bench_that_vanished_from_the_file_is_an_error(guard: Guard, tmp_path: Path) -> None:
    report = json.loads(TWO.read_text(encoding="utf-8"))
    report["results"].pop()
    (tmp_path / "less.json").write_text(json.dumps(report), encoding="utf-8")
    done = guard("check", "--from", "auto", TWO, "less.json")
    assert done.returncode == 2
    assert "there is no current summary of the bench sleep 0.01" in done.stderr
    assert guard("check", "--from", "auto", "less.json", TWO).returncode == 0


def test_a_file_that_cannot_be_read_outranks_a_pass(guard: Guard, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    done = guard("check", "--from", "hyperfine", TWO, "broken.json")
    assert done.returncode == 2
    assert "broken.json: empty or truncated JSON" in done.stderr


def test_throughput_is_judged_in_its_own_direction(guard: Guard, tmp_path: Path) -> None:
    for name, value in (("old", 100), ("new", 70)):
        results = [{"name": "a", "unit": "req/s", "value": value}, {"name": "b", "unit": "ns", "value": value}]
        (tmp_path / f"{name}.json").write_text(json.dumps(results), encoding="utf-8")
    done = guard("check", "--from", "github-action-benchmark", "old.json", "new.json", "--format", "json")
    verdicts = {bench["bench_id"]: bench["verdict"] for bench in json.loads(done.stdout)["benches"]}
    assert verdicts == {"a": "regression", "b": "improvement"}


def test_nothing_on_both_sides_passes_and_what_came_up_from_nothing_does_not(guard: Guard, tmp_path: Path) -> None:
    for name, allocations in (("old", 0), ("new", 3)):
        line = f"BenchmarkA-2 100 5.5 ns/op 0 B/op {allocations} allocs/op\n"
        (tmp_path / f"{name}.txt").write_text(line * 4, encoding="utf-8")
    same = guard("check", "--from", "go", "old.txt", "old.txt")
    assert same.returncode == 0
    assert "it is 0 on both sides" in same.stdout or "3 passed" in same.stdout
    more = guard("check", "--from", "go", "old.txt", "new.txt")
    assert more.returncode == 2
    assert "there is no ratio to it" in more.stderr


def test_the_clock_that_a_machine_just_had_is_no_other_machine(guard: Guard, tmp_path: Path) -> None:
    report = json.loads((MADE / "pytest-benchmark" / "with_data.json").read_text(encoding="utf-8"))
    (tmp_path / "old.json").write_text(json.dumps(report), encoding="utf-8")
    report["machine_info"]["cpu"]["hz_actual_friendly"] = "1.0000 GHz"
    report["machine_info"]["cpu"]["hz_actual"] = [10**9, 0]
    (tmp_path / "new.json").write_text(json.dumps(report), encoding="utf-8")
    arguments = ["--from", "auto", "old.json", "new.json", "--host-mismatch", "error"]
    assert guard("check", *arguments).returncode == 0
    report["machine_info"]["cpu"]["brand_raw"] = "another processor"
    (tmp_path / "new.json").write_text(json.dumps(report), encoding="utf-8")
    assert guard("check", *arguments).returncode == 2


def test_a_list_of_the_formats(guard: Guard) -> None:
    done = guard("import", "--list")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) >= 22


def test_help_fits_a_terminal(guard: Guard) -> None:
    for command in ("import", "export", "check"):
        done = guard(command, "--help")
        assert max(map(len, done.stdout.splitlines())) <= 80
        assert "example" in done.stdout


def test_nothing_of_the_importers_is_loaded_by_a_plain_check(guard: Guard) -> None:
    guard("import", "hyperfine", TWO, "--out", "out")
    done = guard("check", "out", "out", env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "aether_guard.check.pairing" in imported
    assert [name for name in imported if name.startswith(("aether_formats", "importlib.metadata"))] == []
