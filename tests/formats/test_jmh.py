from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aether_guard.check.imported_files import Reader

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from aether_formats.to_summaries import Imported

    Guard = Callable[..., subprocess.CompletedProcess[str]]

MADE = Path(__file__).parents[2] / "fixtures" / "import" / "jmh"


def read(path: Path, **metric: Any) -> Imported:
    """Read a copy of the file of throughputs, with the keys of its metric changed, or dropped where they are None."""
    results = json.loads((MADE / "throughput.json").read_text(encoding="utf-8"))
    for key, value in metric.items():
        results[0]["primaryMetric"][key] = value
        if value is None:
            del results[0]["primaryMetric"][key]
    path.write_text(json.dumps(results), encoding="utf-8")
    return Reader("auto").read(str(path))


def test_a_throughput_has_a_round_per_fork_and_more_is_better() -> None:
    (result,) = json.loads((MADE / "throughput.json").read_text(encoding="utf-8"))
    (summary,) = Reader("jmh").read(str(MADE / "throughput.json")).summaries
    assert summary.samples == tuple(tuple(fork) for fork in result["primaryMetric"]["rawData"])
    assert [len(fork) for fork in summary.samples or ()] == [5] * 5
    assert (summary.unit, summary.better) == ("ops/s", "higher")


def test_a_throughput_that_falls_by_a_third_is_a_regression(guard: Guard) -> None:
    before, after = MADE / "throughput.json", MADE / "throughput_lower.json"
    assert guard("check", "--from", "jmh", before, after).returncode == 1
    assert guard("check", "--from", "jmh", before, before).returncode == 0
    assert guard("check", "--from", "jmh", after, before).returncode == 0


def test_a_score_alone_is_a_mean(tmp_path: Path) -> None:
    (summary,) = read(tmp_path / "a.json", rawData=None, scorePercentiles=None).summaries
    assert (summary.statistics, summary.n) == (("mean",), 25)
    assert summary.statistic("mean") == 411820.5128


def test_percentiles_stand_where_there_is_no_raw_data(tmp_path: Path) -> None:
    (summary,) = read(tmp_path / "a.json", rawData=None).summaries
    assert (summary.statistic("p50"), summary.statistic("p95")) == (411600.5, 420900.25)


def test_an_iteration_without_a_score_is_a_failure(tmp_path: Path) -> None:
    found = read(tmp_path / "a.json", rawData=[[1.5, "NaN"], [1.25, 1.75]])
    assert [problem for _, problem in found.failed] == [
        "1 of 4 iterations ended without a score; --allow-failures 25% judges it anyway"
    ]
    found = read(tmp_path / "a.json", rawData=[["NaN"]], score="NaN", scorePercentiles={"50.0": "NaN"})
    assert [problem for _, problem in found.failed] == [
        "1 of 1 iterations ended without a score; nothing is left to judge"
    ]


@pytest.mark.parametrize(("unit", "better"), [("ops/ms", "higher"), ("us/op", "lower")])
def test_the_unit_gives_the_direction(tmp_path: Path, unit: str, better: str) -> None:
    (summary,) = read(tmp_path / "a.json", scoreUnit=unit).summaries
    assert summary.lower_is_better is (better == "lower")
