from __future__ import annotations

import json
import re
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

LONG = "a test case with a name that is quite a bit longer than the console of Catch2 is wide"
NAMES = [
    "pair/same",
    "pair/sum",
    f"{LONG}/a name that is quite a bit longer than its column is wide",
    f"{LONG}/of texts/short ones/append 100 1 2",
]


@pytest.mark.parametrize("name", ["printed.txt", "printed_without_analysis.txt", "failed.xml"])
def test_xml_and_text_hold_the_same_benchmarks(made: Path, name: str) -> None:
    found = Reader("auto").read(str(made / "catch2" / name))
    assert [summary.bench_id for summary in found.summaries] == NAMES
    assert {(summary.n, summary.statistics) for summary in found.summaries} == {(20, ("mean",))}
    ((failed, reason),) = found.failed
    assert failed == f"{LONG}/throws"
    assert reason.startswith("the benchmark failed: on purpose")


def test_the_mean_of_a_printed_table_is_read(made: Path, imported: Import) -> None:
    path = made / "catch2" / "printed.txt"
    # The line below a benchmark's samples has the mean first.
    rows = re.findall(r" 20 +\d+ +[\d.]+ [mun]?s *\n +([\d.]+) ([mun]?s)", path.read_text(encoding="utf-8"))
    factor = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3}
    expected = [float(mean) * factor[unit] for mean, unit in rows]
    assert [summary.p50 for summary in imported("catch2", path).values()] == pytest.approx(expected, rel=1e-12)


def test_code_that_became_slower_is_found(guard: Guard, made: Path) -> None:
    done = guard(
        "check", "--from", "auto", made / "catch2" / "old.txt", made / "catch2" / "new.txt", "--format", "json"
    )
    assert done.returncode == 1
    verdicts = {bench["bench_id"]: bench["verdict"] for bench in json.loads(done.stdout)["benches"]}
    assert verdicts == {"pair/same": "pass", "pair/sum": "regression"}


def test_colors_and_other_output_do_not_hide_a_table(made: Path, tmp_path: Path) -> None:
    text = (made / "catch2" / "old.txt").read_text(encoding="utf-8")
    path = tmp_path / "a.txt"
    path.write_text("building\n\x1b[0;33m" + text.replace("pair\n", "\x1b[1mpair\x1b[0m\n"), encoding="utf-8")
    assert [summary.bench_id for summary in Reader("catch2").read(str(path)).summaries] == ["pair/same", "pair/sum"]


def test_a_table_that_is_cut_off_gives_what_it_has(made: Path, tmp_path: Path) -> None:
    text = (made / "catch2" / "old.txt").read_text(encoding="utf-8")
    path = tmp_path / "a.txt"
    path.write_text(text[: text.index("sum ") + 70], encoding="utf-8")
    assert [summary.bench_id for summary in Reader("catch2").read(str(path)).summaries] == ["pair/same"]
    path.write_text(text[: text.index("same ")], encoding="utf-8")
    with pytest.raises(ImportFileError, match=r"^no bench in it$"):
        Reader("catch2").read(str(path))
