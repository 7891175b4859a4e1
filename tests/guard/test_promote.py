from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from aether_guard.check.promote import improved_benches, plan_promotions, write_promotions
from aether_guard.errors import GuardError
from aether_schema import read_summary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aether_guard.check.verdict import Judgement


@pytest.fixture(autouse=True)
def _in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def promote(*benches: str, baseline: tuple[str, ...] = ("old",), reason: str = "it pays") -> list[str]:
    promotions = plan_promotions(baseline, ["new"], benches, reason)
    write_promotions(promotions)
    return [promotion.path for promotion in promotions]


def test_the_current_figures_become_the_baseline_and_the_reason_stays_with_them(write: Callable[..., str]) -> None:
    path = write("old/bench-pack.json", p95=10)
    write("new/other-name.json", p95=15)
    assert promote() == [os.path.join("old", "bench-pack.json")]
    baseline = read_summary(path)
    assert (baseline.p95, baseline.notes) == (15.0, "promoted: it pays")
    assert os.listdir("old") == ["bench-pack.json"]


def test_what_is_replaced_is_known(write: Callable[..., str]) -> None:
    write("old/bench-pack.json", p95=10)
    write("new/bench-pack.json", p95=15)
    (promotion,) = plan_promotions(["old"], ["new"], [], "it pays")
    assert promotion.replaced is not None
    assert (promotion.replaced.p95, promotion.summary.p95) == (10.0, 15.0)


def test_planning_writes_nothing(write: Callable[..., str]) -> None:
    path = write("old/bench-pack.json", p95=10)
    write("new/bench-pack.json", p95=15)
    plan_promotions(["old"], ["new"], [], "it pays")
    assert read_summary(path).p95 == 10.0


def test_notes_of_the_run_follow_the_reason(write: Callable[..., str]) -> None:
    write("new/bench-pack.json", notes="a quiet night")
    (path,) = promote()
    assert read_summary(path).notes == "promoted: it pays; a quiet night"


def test_only_the_benches_named_are_promoted(write: Callable[..., str]) -> None:
    write("old/a.json", bench_id="a", p95=10)
    write("old/b.json", bench_id="b", p95=10)
    write("new/a.json", bench_id="a", p95=15)
    write("new/b.json", bench_id="b", p95=15)
    assert promote("b") == [os.path.join("old", "b.json")]
    assert (read_summary("old/a.json").p95, read_summary("old/b.json").p95) == (10.0, 15.0)


def test_a_new_bench_goes_into_the_one_folder_there_is(write: Callable[..., str]) -> None:
    write("new/bench-pack.json")
    assert promote() == [os.path.join("old", "bench-pack.json")]
    assert os.listdir("old") == ["bench-pack.json"]


def test_a_new_bench_with_two_folders_to_go_to_is_refused(write: Callable[..., str]) -> None:
    write("new/bench-pack.json")
    with pytest.raises(GuardError, match="packaging: it has no baseline yet"):
        promote(baseline=("one", "two"))


def test_a_bench_behind_a_glob_is_written_where_its_baseline_lies(write: Callable[..., str]) -> None:
    write("old/bench-pack.json", p95=10)
    write("new/bench-pack.json", p95=15)
    assert promote(baseline=("old/*.json",)) == [os.path.join("old", "bench-pack.json")]
    assert os.listdir("old") == ["bench-pack.json"]


def test_a_new_bench_with_only_a_glob_to_go_to_is_refused(write: Callable[..., str]) -> None:
    write("old/bench-stream.json", bench_id="streaming")
    write("new/bench-pack.json")
    with pytest.raises(GuardError, match="packaging"):
        promote(baseline=("old/*.json",))
    assert os.listdir("old") == ["bench-stream.json"]


def test_two_new_benches_do_not_go_into_one_file(write: Callable[..., str]) -> None:
    write("new/a.json", bench_id="a")
    write("new/b.json", bench_id="b")
    with pytest.raises(GuardError):
        promote(baseline=("baseline.json",))
    assert not os.path.exists("baseline.json")


def test_a_new_bench_is_not_written_over_the_baseline_of_another(write: Callable[..., str]) -> None:
    path = write("old/bench.json", bench_id="a")
    write("new/bench.json", bench_id="b")
    with pytest.raises(GuardError):
        promote()
    assert read_summary(path).bench_id == "a"


@pytest.mark.parametrize("reason", ["", " ", "\n\t"])
def test_a_promotion_without_a_reason_is_refused(write: Callable[..., str], reason: str) -> None:
    write("new/bench-pack.json")
    with pytest.raises(GuardError, match="--reason"):
        promote(reason=reason)
    assert not os.path.exists("old")


def test_a_reason_is_one_line(write: Callable[..., str]) -> None:
    write("new/bench-pack.json")
    (path,) = promote(reason="it\n  pays")
    assert read_summary(path).notes == "promoted: it pays"


def test_one_invalid_current_file_stops_the_whole_promotion(write: Callable[..., str], tmp_path: Path) -> None:
    path = write("old/a.json", bench_id="a", p95=10)
    write("new/a.json", bench_id="a", p95=15)
    (tmp_path / "new" / "b.json").write_bytes(b"{")
    with pytest.raises(GuardError, match=r"b\.json: "):
        promote()
    assert read_summary(path).p95 == 10.0


def test_a_bench_that_was_not_run_is_refused_and_those_that_were_are_listed(write: Callable[..., str]) -> None:
    write("new/a.json", bench_id="a")
    with pytest.raises(GuardError, match="z: no current summary of this bench; there are: a"):
        promote("z")


def test_nothing_to_promote_is_refused() -> None:
    with pytest.raises(GuardError, match="no current files"):
        plan_promotions(["old"], [], [], "it pays")


@pytest.mark.parametrize("side", ["old", "new"])
def test_two_files_of_one_bench_are_refused(write: Callable[..., str], side: str) -> None:
    write("new/a.json")
    write(f"{side}/b.json")
    write(f"{side}/c.json")
    with pytest.raises(GuardError, match="bench_id: packaging is in"):
        promote()


# What was beaten.


def test_beaten_is_what_is_better_beyond_what_chance_explains(judgement: Callable[..., Judgement]) -> None:
    judgements = [
        judgement(bench_id="clearly", verdict="improvement", interval=(-0.5, -0.3)),
        judgement(bench_id="by a little", verdict="pass", interval=(-0.05, -0.01)),
        judgement(bench_id="perhaps", verdict="pass", interval=(-0.05, 0.01)),
        judgement(bench_id="not at all", verdict="regression", interval=(0.3, 0.5)),
        judgement(bench_id="without evidence", verdict="improvement", interval=None),
        judgement(bench_id=None, verdict="error", interval=None),
    ]
    assert improved_benches(judgements) == ["clearly", "by a little"]


def test_what_is_inconclusive_has_not_been_beaten(judgement: Callable[..., Judgement]) -> None:
    # Figures from another machine, without a ruler between them.
    assert improved_benches([judgement(verdict="inconclusive", interval=(-0.5, -0.3))]) == []
