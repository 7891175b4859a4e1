from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aether_formats import ImportFileError
from aether_guard.check.imported_files import Reader

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from aether_formats.to_summaries import Imported

    Guard = Callable[..., subprocess.CompletedProcess[str]]

MADE = Path(__file__).parents[2] / "fixtures" / "import" / "hyperfine"


def read(path: Path, **changes: Any) -> Imported:
    """Read a copy of a file whose results are changed."""
    report = json.loads((MADE / "job.json").read_text(encoding="utf-8"))
    for result in report["results"]:
        result.update(changes)
    path.write_text(json.dumps(report), encoding="utf-8")
    return Reader("hyperfine").read(str(path))


def test_runs_that_fail_fast_are_no_improvement(guard: Guard) -> None:
    done = guard("check", "--from", "hyperfine", MADE / "job.json", MADE / "job_failing.json")
    assert done.returncode == 2
    assert "job: 4 of 15 runs failed: 3 with exit status 3, 1 with exit status 137" in done.stderr
    assert "--allow-failures 27%" in done.stderr


def test_allowed_failures_are_left_out_of_the_samples(guard: Guard, tmp_path: Path) -> None:
    result = json.loads((MADE / "job_failing.json").read_text(encoding="utf-8"))["results"][0]
    succeeded = [time for time, code in zip(result["times"], result["exit_codes"], strict=True) if code == 0]
    failing = MADE / "job_failing.json"
    done = guard("import", "hyperfine", failing, "--allow-failures", "27%", "--out", "out")
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "out" / "bench-job.json").read_text(encoding="utf-8"))
    assert summary["samples"] == [[pytest.approx(time * 1e3)] for time in succeeded]
    assert "4 of 15 runs failed" in summary["notes"]


def test_a_job_that_takes_half_as_long_again_is_a_regression(guard: Guard) -> None:
    assert guard("check", "--from", "hyperfine", MADE / "job.json", MADE / "job_slower.json").returncode == 1
    assert guard("check", "--from", "hyperfine", MADE / "job.json", MADE / "job.json").returncode == 0


def test_a_run_without_an_exit_status_was_ended_by_a_signal(tmp_path: Path) -> None:
    found = read(tmp_path / "a.json", exit_codes=[None, 0], times=[0.1, 0.2])
    assert [problem for _, problem in found.failed] == [
        "1 of 2 runs failed: 1 ended by a signal; --allow-failures 50% judges it anyway"
    ]


def test_statistics_over_failed_runs_are_not_judged(tmp_path: Path) -> None:
    found = read(tmp_path / "a.json", exit_codes=[1, 0], times=None)
    assert [problem for _, problem in found.failed] == [
        "1 of 2 runs failed: 1 with exit status 1; nothing is left to judge"
    ]


def test_exit_codes_of_other_runs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match=r"^job: 1 exit codes for 2 times$"):
        read(tmp_path / "a.json", exit_codes=[1], times=[0.1, 0.2])


def test_a_mean_without_a_median_stays_a_mean(tmp_path: Path) -> None:
    (summary,) = read(tmp_path / "a.json", median=None, times=None, exit_codes=None, mean=0.25).summaries
    assert (summary.statistics, summary.statistic("mean")) == (("mean",), 250.0)
