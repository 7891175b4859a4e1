from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aether_formats import ImportFileError, ImportOptions
from aether_guard.check.imported_files import Reader

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from aether_schema import Summary

    Guard = Callable[..., subprocess.CompletedProcess[str]]


def read(path: Path, text: str, **columns: str) -> Summary:
    path.write_text(text, encoding="utf-8")
    (summary,) = Reader("csv", ImportOptions(columns=columns)).read(str(path)).summaries
    return summary


def test_a_mean_column_stays_a_mean(tmp_path: Path) -> None:
    summary = read(tmp_path / "a.csv", "name,mean,unit,n\na,1.5,ms,20\n")
    assert (summary.statistics, summary.statistic("mean"), summary.n) == (("mean",), 1.5, 20)
    summary = read(tmp_path / "a.csv", "name,avg_ms,unit\na,1.5,ms\n", mean="avg_ms")
    assert summary.statistics == ("mean",)


def test_a_mean_next_to_quantiles_is_none_of_them(tmp_path: Path) -> None:
    summary = read(tmp_path / "a.csv", "name,mean,p50,p95,unit\na,9,1.5,2.5,ms\n")
    assert (summary.p50, summary.p95, summary.statistics) == (1.5, 2.5, None)


def test_a_median_alone_is_no_p95(tmp_path: Path) -> None:
    summary = read(tmp_path / "a.csv", "name,median,unit\na,1.5,ms\n")
    assert (summary.statistics, summary.samples) == (("p50",), None)


def test_several_rows_of_values_are_samples(tmp_path: Path) -> None:
    summary = read(tmp_path / "a.csv", "name,value,unit\na,1,ms\na,2,ms\n")
    assert summary.samples == ((1.0, 2.0),)


def test_a_second_mean_of_a_bench_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match=r"^line 2: a: a second row, and a row with a p95 or a mean"):
        read(tmp_path / "a.csv", "name,mean,unit\na,1,ms\na,2,ms\n")


@pytest.mark.parametrize("number", ["12,5", "1,234", "1.234,5"])
def test_a_comma_in_a_number_is_an_error(guard: Guard, tmp_path: Path, number: str) -> None:
    for name in ("old", "new"):
        (tmp_path / f"{name}.csv").write_text(f"name;value;unit\na;{number};ms\n", encoding="utf-8")
    done = guard("check", "--from", "csv", "old.csv", "new.csv")
    assert done.returncode == 2
    assert f"line 2, column value: '{number}' has a comma: write numbers with a decimal point" in done.stderr


def test_a_table_without_any_figure_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match=r"^line 1: no column for the value: add --column value=NAME"):
        read(tmp_path / "a.csv", "name,unit\na,ms\n")


def test_a_decimal_comma_between_commas_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match=r"^line 2: 4 columns, not 3$"):
        read(tmp_path / "a.csv", "name,value,unit\na,12,5,ms\n")
