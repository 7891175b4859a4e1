from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

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


def times_ms(folder: Path) -> tuple[float, ...]:
    sample = json.loads((folder / "sample.json").read_text(encoding="utf-8"))
    return tuple(time / count / 1e6 for time, count in zip(sample["times"], sample["iters"], strict=True))


def verdicts(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    return {bench["bench_id"]: bench["verdict"] for bench in json.loads(done.stdout)["benches"]}


@pytest.mark.parametrize("form", ["criterion", "auto"])
def test_a_folder_of_one_run_is_read_whatever_its_name(made: Path, imported: Import, form: str) -> None:
    for run in ("main", "new"):
        folder = made / "criterion" / "sum" / run
        (summary,) = imported(form, folder).values()
        assert summary.bench_id == "sum"
        assert summary.samples == (pytest.approx(times_ms(folder), rel=1e-15),)


def test_a_saved_baseline_is_compared_with_the_newest_run(guard: Guard, made: Path) -> None:
    folder = made / "criterion"
    done = guard(
        "check", "--from", "criterion", "--baseline", f"{folder}/**/main", "--current", folder, "--format", "json"
    )
    assert done.returncode == 1, done.stderr
    found = verdicts(done)
    assert (found["sum"], found["same"]) == ("regression", "pass")


def test_the_newest_run_is_read_where_no_folder_is_named(made: Path, imported: Import) -> None:
    assert imported("criterion", made / "criterion" / "sum")["sum"].samples == (
        pytest.approx(times_ms(made / "criterion" / "sum" / "new"), rel=1e-15),
    )


def test_the_change_between_two_runs_is_no_run(made: Path) -> None:
    with pytest.raises(ImportFileError, match=r"^no new/sample\.json and no new/estimates\.json below it$"):
        Reader("criterion").read(str(made / "criterion" / "sum" / "change"))
