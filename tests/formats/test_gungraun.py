"""The files were written by hand, and agree with the JSON Schemas that the tool publishes of each version."""

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

EVENTS = {
    "sums::group::fold large": (4215.0, "instructions"),
    "sums::group::fold large L1hits": (5230.0, "hits"),
    "sums::group::fold large EstimatedCycles": (6375.0, "cycles"),
}
ALLOCATIONS = {
    "sums::group::fold large DHAT TotalBytes": (8192.0, "bytes"),
    "sums::group::fold large DHAT TotalBlocks": (3.0, "blocks"),
    "sums::group::fold large DHAT AtTGmaxBytes": (4096.0, "bytes"),
}


def told(found: dict[str, Summary]) -> dict[str, tuple[float, str]]:
    assert {(summary.n, summary.lower_is_better) for summary in found.values()} == {(1, True)}
    return {name: (summary.p50, summary.unit) for name, summary in found.items()}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("version_2", EVENTS),
        ("version_3", EVENTS),
        ("version_4", {**EVENTS, **ALLOCATIONS}),
        ("version_6", {**EVENTS, **ALLOCATIONS}),
        ("new", {**EVENTS, **ALLOCATIONS}),
    ],
)
def test_every_version_gives_the_newer_figures(
    made: Path, imported: Import, name: str, expected: dict[str, tuple[float, str]]
) -> None:
    assert told(imported("auto", made / "gungraun" / f"{name}.json")) == expected


@pytest.mark.parametrize("name", ["lines", "array"])
def test_several_summaries_may_stand_in_a_file(made: Path, imported: Import, name: str) -> None:
    found = told(imported("auto", made / "gungraun" / f"{name}.json"))
    assert {bench: value for bench, (value, _) in found.items() if bench.count(" ") == 1} == {
        "sums::group::fold small": 3015.0,
        "sums::group::fold large": 4215.0,
    }


def test_code_that_takes_more_instructions_is_found(guard: Guard, made: Path) -> None:
    old, new = (made / "gungraun" / f"{name}.json" for name in ("old", "new"))
    done = guard("check", "--from", "auto", old, new, "--format", "json")
    assert done.returncode == 1
    verdicts = {bench["bench_id"]: bench["verdict"] for bench in json.loads(done.stdout)["benches"]}
    assert verdicts == {**dict.fromkeys(EVENTS, "regression"), **dict.fromkeys(ALLOCATIONS, "pass")}
    assert guard("check", "--from", "auto", new, new).returncode == 0


def test_figures_of_the_older_run_alone_are_none(made: Path, tmp_path: Path) -> None:
    text = (made / "gungraun" / "old.json").read_text(encoding="utf-8").replace('"Left"', '"Right"')
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(ImportFileError, match=r"^no bench in it$"):
        Reader("gungraun").read(str(tmp_path / "a.json"))
