"""What other gates are known to get wrong, tried on the files that those tools write."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Guard = Callable[..., subprocess.CompletedProcess[str]]


def put(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document), encoding="utf-8")


def pyperf(values: list[list[float]]) -> dict[str, Any]:
    runs = [{"metadata": {}, "values": each} for each in values]
    return {"version": "1.0", "metadata": {"name": "a"}, "benchmarks": [{"runs": runs}]}


def verdicts(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {bench["bench_id"]: bench["verdict"] for bench in json.loads(done.stdout)["benches"]}


def test_samples_of_unequal_number_are_compared_and_not_called_significant(guard: Guard, tmp_path: Path) -> None:
    put(tmp_path / "old.json", pyperf([[1.0, 1.01, 1.02], [1.0, 1.01, 1.02], [1.01, 1.0, 1.02]]))
    put(tmp_path / "new.json", pyperf([[1.01, 1.0, 1.02], [1.0, 1.02, 1.01]]))
    done = guard("check", "--from", "pyperf", "old.json", "new.json", "--format", "json")
    assert (done.returncode, verdicts(done)) == (0, {"a": "pass"})


def test_a_bench_without_a_previous_value_is_listed(guard: Guard, tmp_path: Path) -> None:
    put(tmp_path / "old.json", [{"name": "a", "unit": "ns", "value": 1}])
    put(tmp_path / "new.json", [{"name": "a", "unit": "ns", "value": 1}, {"name": "b", "unit": "ns", "value": 1}])
    done = guard("check", "--from", "auto", "old.json", "new.json")
    assert done.returncode == 0
    assert "it has no baseline yet" in done.stdout


def test_a_number_is_read_whole_and_a_unit_with_it(guard: Guard, tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text('[{"name": "a", "unit": "s", "value": 1e-3}]', encoding="utf-8")
    (tmp_path / "new.json").write_text('[{"name": "a", "unit": "ms", "value": 1.5}]', encoding="utf-8")
    done = guard("check", "--from", "auto", "old.json", "new.json", "--format", "json")
    (bench,) = json.loads(done.stdout)["benches"]
    assert (bench["verdict"], bench["baseline"], bench["current"]) == ("regression", 1.0, 1.5)


def test_a_key_within_a_text_is_no_figure(guard: Guard, tmp_path: Path) -> None:
    put(tmp_path / "old.json", {"results": [{"command": 'echo "mean": 1, "median": 1', "mean": 5.0, "median": 5.0}]})
    put(tmp_path / "new.json", {"results": [{"command": 'echo "mean": 1, "median": 1', "mean": 9.0, "median": 9.0}]})
    done = guard("check", "--from", "auto", "old.json", "new.json")
    assert done.returncode == 1


def test_a_baseline_of_0_is_no_0_percent(guard: Guard, tmp_path: Path) -> None:
    put(tmp_path / "old.json", [{"name": "a", "unit": "ns", "value": 0}])
    put(tmp_path / "new.json", [{"name": "a", "unit": "ns", "value": 5}])
    assert guard("check", "--from", "auto", "old.json", "new.json").returncode == 2


def test_a_run_that_failed_is_not_fast(guard: Guard, tmp_path: Path) -> None:
    run = {"name": "a", "run_name": "a", "run_type": "iteration", "real_time": 5.0, "time_unit": "ns"}
    put(tmp_path / "old.json", {"context": {}, "benchmarks": [run]})
    failed = {**run, "real_time": 0.1, "error_occurred": True, "error_message": "no such file"}
    put(tmp_path / "new.json", {"context": {}, "benchmarks": [failed, {**run, "name": "b", "run_name": "b"}]})
    done = guard("check", "--from", "auto", "old.json", "new.json")
    assert done.returncode == 2
    assert "new.json: a: 1 of 1 runs failed: no such file" in done.stderr


@pytest.mark.parametrize(("unit", "worse"), [("ops/s", 50.0), ("s/op", 200.0)])
def test_the_mode_does_not_say_the_direction(guard: Guard, tmp_path: Path, unit: str, worse: float) -> None:
    for name, score in (("old", 100.0), ("new", worse)):
        metric = {"score": score, "scoreUnit": unit, "rawData": [[score]]}
        put(tmp_path / f"{name}.json", [{"benchmark": "a", "mode": "thrpt", "primaryMetric": metric}])
    assert guard("check", "--from", "jmh", "old.json", "new.json").returncode == 1
    assert guard("check", "--from", "jmh", "new.json", "old.json").returncode == 0
