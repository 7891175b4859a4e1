from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aether_formats import ImportFileError
from aether_guard.check.imported_files import Reader

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    Guard = Callable[..., subprocess.CompletedProcess[str]]

MADE = Path(__file__).parents[2] / "fixtures" / "import" / "pytest-benchmark"
STORAGE = MADE / "storage"
OLD, NEW = sorted(STORAGE.glob("*/*.json"))


def verdicts(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [bench["verdict"] for bench in json.loads(done.stdout)["benches"]]


def write(path: Path, median_s: float, **changes: Any) -> None:
    """Write a file of one bench without samples."""
    bench = {"fullname": "test_a", "params": None, "stats": {"median": median_s, "rounds": 5}, **changes}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"benchmarks": [bench]}), encoding="utf-8")


@pytest.mark.parametrize("form", ["pytest-benchmark", "auto"])
def test_objects_as_parameters_do_not_make_a_pair_differ(guard: Guard, form: str) -> None:
    assert "at 0x" in OLD.read_text(encoding="utf-8")
    done = guard("check", "--from", form, OLD, NEW, "--format", "json")
    assert "error" not in verdicts(done), done.stderr


def test_parameters_that_json_holds_are_compared(guard: Guard, tmp_path: Path) -> None:
    write(tmp_path / "old.json", 1.0, params={"size": 10, "codec": "UNSERIALIZABLE[<C object at 0x7ff0>]"})
    write(tmp_path / "new.json", 1.0, params={"size": 20, "codec": "UNSERIALIZABLE[<C object at 0x7ff1>]"})
    done = guard("check", "--from", "pytest-benchmark", "old.json", "new.json")
    assert done.returncode == 2
    assert "params.size differs" in done.stderr


@pytest.mark.parametrize("value", ["<f at 0x7f1>", "UNSERIALIZABLE[Decimal('1')]", [1], {"a": 1}, float("nan"), 2**80])
def test_what_cannot_be_compared_is_no_parameter(tmp_path: Path, value: object) -> None:
    write(tmp_path / "a.json", 1.0, params={"kept": "text", "left": value})
    (summary,) = Reader("auto").read(str(tmp_path / "a.json")).summaries
    assert summary.params == {"kept": "text"}


def test_a_file_without_samples_holds_no_p95() -> None:
    for summary in Reader("auto").read(str(NEW)).summaries:
        assert (summary.statistics, summary.samples) == (("p50",), None)


def test_a_storage_folder_is_its_newest_file(tmp_path: Path) -> None:
    storage = tmp_path / ".benchmarks" / "Linux-CPython-3.11-64bit"
    for counter in ("0001", "0002", "9999", "10000"):
        write(storage / f"{counter}_x.json", float(counter))
    for form in ("pytest-benchmark", "auto"):
        for folder in (tmp_path, tmp_path / ".benchmarks", storage):
            (loaded,), problems = Reader(form).load_all([str(folder)])
            assert (loaded.summary.p50, problems) == (10_000 * 1000.0, [])


def test_results_of_two_machines_are_not_one(guard: Guard, tmp_path: Path) -> None:
    for machine in ("Darwin-CPython-3.12-64bit", "Linux-CPython-3.11-64bit"):
        write(tmp_path / "stored" / machine / "0001_x.json", 1.0)
    done = guard("check", "--from", "pytest-benchmark", "stored", NEW)
    assert done.returncode == 2
    problem = "results of several machines: Darwin-CPython-3.12-64bit, Linux-CPython-3.11-64bit; name the folder of one"
    assert f"stored: {problem}" in done.stderr


def test_files_without_a_counter_are_further_runs(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / f"run-{number}.json", 1.0 + number)
    (loaded,), problems = Reader("pytest-benchmark").load_all([str(tmp_path)])
    assert (loaded.summary.samples, problems) == (((1000.0,), (2000.0,), (3000.0,)), [])


def test_counted_files_of_another_tool_are_all_read(tmp_path: Path) -> None:
    for number, name in enumerate(("two", "job")):
        shutil.copy(MADE.parent / "hyperfine" / f"{name}.json", tmp_path / f"000{number}_{name}.json")
    loaded, problems = Reader("auto").load_all([str(tmp_path)])
    assert ([item.summary.bench_id for item in loaded], problems) == (["true", "sleep 0.01", "job"], [])


def test_a_file_without_a_bench_is_named(tmp_path: Path) -> None:
    report = json.loads(OLD.read_text(encoding="utf-8"))
    (tmp_path / "a.json").write_text(json.dumps({**report, "benchmarks": []}), encoding="utf-8")
    with pytest.raises(ImportFileError, match=r"^no bench in it"):
        Reader("auto").read(str(tmp_path / "a.json"))


def test_a_number_that_is_none_does_not_hide_the_samples(tmp_path: Path) -> None:
    report = json.loads(OLD.read_text(encoding="utf-8"))
    report["machine_info"]["load"] = float("nan")
    (tmp_path / "a.json").write_text(json.dumps(report), encoding="utf-8")
    for summary in Reader("auto").read(str(tmp_path / "a.json")).summaries:
        assert summary.samples is not None
