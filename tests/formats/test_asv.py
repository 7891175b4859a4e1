"""What asv's own folder and columns mean for a verdict, with tables as asv writes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Guard = Callable[..., subprocess.CompletedProcess[str]]

COLUMNS = ["result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b"]


def write_results(path: Path, date: int, **results: list[Any]) -> str:
    """Write the results of one commit: of each benchmark its value and, if given, its interval."""
    rows = {
        f"bench.{name}": [[row[0]], [], "v", 0, 1.0, *([bound] for bound in row[1:])] for name, row in results.items()
    }
    document = {
        "commit_hash": f"{date:040d}",
        "date": date,
        "params": {"machine": "here", "python": "3.11"},
        "result_columns": COLUMNS,
        "results": rows,
        "version": 2,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    (path.parent / "machine.json").write_text('{"machine": "here"}', encoding="utf-8")
    return str(path)


def report(guard: Guard, *paths: str) -> dict[str, dict[str, Any]]:
    done = guard("check", "--from", "asv", "--format", "json", *paths)
    return {bench["bench_id"]: bench for bench in json.loads(done.stdout)["benches"]}


def test_less_of_a_tracked_value_is_better(guard: Guard, tmp_path: Path) -> None:
    old = write_results(tmp_path / "old" / "a.json", 1, track_size=[100.0])
    new = write_results(tmp_path / "new" / "a.json", 2, track_size=[130.0])
    assert report(guard, old, new)["bench.track_size"]["verdict"] == "regression"
    assert report(guard, new, old)["bench.track_size"]["verdict"] == "improvement"


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ([1.0, 0.98, 1.02], [1.3, 1.27, 1.33], "regression"),
        ([1.0, 0.6, 1.7], [1.3, 0.8, 2.2], "inconclusive"),
        ([1.0, 0.98, 1.02], [1.05, 1.03, 1.07], "pass"),
    ],
)
def test_the_interval_of_the_tool_is_the_evidence(
    guard: Guard, tmp_path: Path, old: list[float], new: list[float], verdict: str
) -> None:
    paths = [
        write_results(tmp_path / name / "a.json", date, time_it=row)
        for name, date, row in (("old", 1, old), ("new", 2, new))
    ]
    judged = report(guard, *paths)["bench.time_it"]
    assert (judged["verdict"], judged["quantile"], judged["processes"]) == (verdict, "p50", None)
    assert judged["interval"][0] < judged["change"] < judged["interval"][1]


def test_a_results_folder_is_the_newest_commit_of_its_machine(guard: Guard, tmp_path: Path) -> None:
    write_results(tmp_path / "results" / "here" / "b-old.json", 1, time_it=[1.0])
    new = write_results(tmp_path / "results" / "here" / "a-new.json", 2, time_it=[2.0])
    (tmp_path / "results" / "benchmarks.json").write_text('{"version": 2}', encoding="utf-8")
    assert report(guard, new, str(tmp_path / "results"))["bench.time_it"]["change"] == 0.0
    assert report(guard, new, str(tmp_path / "results" / "here"))["bench.time_it"]["change"] == 0.0


def test_results_of_several_machines_are_not_mixed(guard: Guard, tmp_path: Path) -> None:
    paths = [write_results(tmp_path / "results" / name / "a.json", 1, time_it=[1.0]) for name in ("here", "there")]
    done = guard("check", "--from", "asv", paths[0], str(tmp_path / "results"))
    assert done.returncode == 2
    assert "results of several machines: here, there; name the folder of one" in done.stderr
    write_results(tmp_path / "results" / "here" / "a-py3.12.json", 1, time_it=[1.0])
    done = guard("check", "--from", "asv", paths[0], str(tmp_path / "results" / "here"))
    assert "results of several environments: a-py3.12.json, a.json; name one" in done.stderr
