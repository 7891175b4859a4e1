"""The files were written by hand after what the package's serialization writes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from aether_formats import ImportFileError
from aether_guard.check.imported_files import Reader

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from aether_schema import Summary

    Import = Callable[..., dict[str, Summary]]
    Guard = Callable[..., subprocess.CompletedProcess[str]]


def test_groups_within_groups_name_a_trial(made: Path, imported: Import) -> None:
    found = imported("auto", made / "julia" / "groups.json")
    assert {name: summary.samples for name, summary in found.items() if summary.samples} == {
        'sums/("fold", 10)': ((10.5e-6, 10.25e-6, 11e-6, 12.75e-6),),
        'sums/("fold", 1000)': ((1002.5e-6, 1000e-6, 1010.5e-6, 1500.25e-6),),
        "copy": ((55e-6, 56.5e-6, 54.25e-6),),
    }
    assert {name: summary.p50 for name, summary in found.items() if not summary.samples} == {
        'sums/("fold", 10) memory': 96.0,
        'sums/("fold", 10) allocs': 1.0,
        'sums/("fold", 1000) memory': 0.0,
        'sums/("fold", 1000) allocs': 0.0,
        "copy memory": 4096.0,
        "copy allocs": 2.0,
    }
    assert found["copy"].environment == {"julia": "1.11.6"}


def test_an_older_release_is_read(made: Path, imported: Import) -> None:
    found = imported("auto", made / "julia" / "version_0.json")
    assert found["copy"].samples == ((55e-6, 56.5e-6, 54.25e-6),)
    assert list(found) == ["copy", "copy memory", "copy allocs"]


def test_an_estimate_is_one_figure(made: Path, imported: Import) -> None:
    summary = imported("auto", made / "julia" / "estimate.json")["copy"]
    assert (summary.p50, summary.samples, summary.statistics) == (55.25e-6, None, ("p50",))


def test_code_that_became_slower_is_found(guard: Guard, made: Path) -> None:
    old, new = (made / "julia" / f"{name}.json" for name in ("old", "new"))
    done = guard("check", "--from", "auto", old, new, "--format", "json")
    assert done.returncode == 1
    verdicts = {bench["bench_id"]: bench["verdict"] for bench in json.loads(done.stdout)["benches"]}
    assert [name for name, verdict in verdicts.items() if verdict != "pass"] == ["sum"]


@pytest.mark.parametrize(
    ("saved", "problem"),
    [
        (["TrialRatio", {"time": 1.0}], "trial: a comparison of two runs, not a run"),
        (["Trial", {"times": "much"}], "trial: times: expected"),
        (["BenchmarkGroup", {"data": {"a": ["Trial", {"times": [None]}]}}], r"a: times\[0\]: expected"),
        (["Parameters", {}], "no bench in it"),
        (["Trial", {"times": []}], "trial: no times"),
    ],
)
def test_files_without_a_run_are_refused(tmp_path: Path, saved: object, problem: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps([{"BenchmarkTools": "1.0.0"}, [saved]]), encoding="utf-8")
    with pytest.raises(ImportFileError, match=f"^{problem}"):
        Reader("auto").read(str(tmp_path / "a.json"))
