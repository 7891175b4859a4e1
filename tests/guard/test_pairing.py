from __future__ import annotations

import os
from datetime import date
from typing import TYPE_CHECKING

import pytest

from aether_guard.check.files import LoadedSummary, LoadError
from aether_guard.check.pairing import InputPaths, judge_sides, split_sides
from aether_guard.check.policy import PolicyOverrides, PolicySet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aether_guard.check.pairing import Importing
    from aether_guard.check.verdict import Judgement
    from aether_schema import Summary


BOOK = PolicySet()
TODAY = date(2026, 11, 24)


@pytest.fixture(autouse=True)
def _in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def judge(
    *paths: str, baseline: tuple[str, ...] = (), current: tuple[str, ...] = (), book: PolicySet = BOOK
) -> list[Judgement]:
    return judge_sides(split_sides(paths, baseline, current), book, TODAY)


def verdicts(judgements: list[Judgement]) -> list[tuple[str | None, str]]:
    return [(judged.bench_id, judged.verdict) for judged in judgements]


def test_two_files_are_a_pair_and_folders_are_paired_by_bench(write: Callable[..., str]) -> None:
    write("old/a.json")
    write("new/a.json")
    sides = split_sides(["a.json", "b.json", "old", "new", "c.json", "new/*.json"], ["more"], ["again"])
    assert sides == InputPaths(
        pairs=(("a.json", "b.json"),), baseline=("old", "c.json", "more"), current=("new", "new/*.json", "again")
    )


def test_folders_are_paired_by_bench_whatever_the_files_are_called(write: Callable[..., str]) -> None:
    write("old/1.json", bench_id="a", p95=10)
    write("old/2.json", bench_id="b", p95=20)
    write("new/x.json", bench_id="b", p95=30)
    write("new/y.json", bench_id="a", p95=10)
    judgements = judge("old", "new")
    assert verdicts(judgements) == [("a", "pass"), ("b", "regression")]
    assert judgements[1].current_path == os.path.join("new", "x.json")


def test_a_glob_stands_for_the_files_it_matches(write: Callable[..., str]) -> None:
    write("old/deep/down/a.json", bench_id="a")
    write("new/a.json", bench_id="a")
    write("new/a.txt", bench_id="b")
    assert verdicts(judge("old/**/*.json", "new/*.json")) == [("a", "pass")]


def test_a_file_whose_name_looks_like_a_glob_is_that_file(write: Callable[..., str]) -> None:
    old, new = write("a[1].json", p95=10), write("b[2].json", p95=20)
    assert verdicts(judge(old, new)) == [("packaging", "regression")]


def test_a_file_matched_twice_is_one_file(write: Callable[..., str]) -> None:
    write("old/a.json", bench_id="a")
    write("new/a.json", bench_id="a")
    judgements = judge(baseline=("old", "old/*.json", "old/../old/a.json"), current=("new",))
    assert verdicts(judgements) == [("a", "pass")]


@pytest.mark.parametrize("side", ["old", "new"])
def test_a_second_file_of_a_bench_is_an_error_that_names_both(write: Callable[..., str], side: str) -> None:
    write("old/a.json", bench_id="a")
    write("new/a.json", bench_id="a")
    write(f"{side}/b.json", bench_id="a")
    errors = [judged for judged in judge("old", "new") if judged.verdict == "error"]
    assert len(errors) == 1
    assert os.path.join(side, "a.json") in errors[0].reason
    assert os.path.join(side, "b.json") in errors[0].reason


def test_a_bench_without_a_baseline_is_new_and_passes(write: Callable[..., str]) -> None:
    write("old/a.json", bench_id="a")
    write("new/a.json", bench_id="a")
    write("new/b.json", bench_id="b")
    new, known = judge("old", "new")
    assert verdicts([known, new]) == [("a", "pass"), ("b", "pass")]
    assert (known.baseline, new.baseline, new.reason) == (10.0, None, "it has no baseline yet")


def test_a_bench_that_vanished_is_an_error_that_names_its_baseline(write: Callable[..., str]) -> None:
    write("old/a.json", bench_id="a")
    write("old/b.json", bench_id="b")
    write("new/a.json", bench_id="a")
    vanished, known = judge("old", "new")
    assert verdicts([known, vanished]) == [("a", "pass"), ("b", "error")]
    assert vanished.reason.startswith(os.path.join("old", "b.json"))
    assert "bench b" in vanished.reason


def test_a_vanished_bench_cannot_forge_a_line_of_output(write: Callable[..., str]) -> None:
    write("old/a.json", bench_id="a\u2028::error::b\u202e")
    write("new/b.json", bench_id="b")
    assert all(judged.reason.isprintable() for judged in judge("old", "new"))


def test_both_sides_of_a_pair_that_are_missing_are_named(write: Callable[..., str]) -> None:
    there = write("there.json")
    judgements = judge("a.json", "b.json", there, "c.json")
    assert [judged.current_path for judged in judgements] == ["a.json", "b.json", "c.json"]
    assert all("no such file" in judged.reason for judged in judgements)


def test_one_invalid_file_of_a_folder_leaves_the_others_judged(write: Callable[..., str], tmp_path: Path) -> None:
    write("old/a.json", bench_id="a")
    write("new/a.json", bench_id="a")
    (tmp_path / "new" / "b.json").write_bytes(b"{")
    assert verdicts(judge("old", "new")) == [(None, "error"), ("a", "pass")]


def test_benches_that_an_unreadable_file_may_hold_are_not_missing(write: Callable[..., str], tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(f"old/{name}.json", bench_id=name)
    write("new/a.json", bench_id="a")
    (tmp_path / "new" / "b.json").write_bytes(b'{"bench_id": "b", "metr')
    judgements = judge("old", "new", book=PolicySet(expected=("b",)))
    assert verdicts(judgements) == [(None, "error"), ("a", "pass")]
    assert judgements[0].reason.startswith(os.path.join("new", "b.json"))


def test_a_missing_baseline_suggests_the_command_that_makes_one(write: Callable[..., str]) -> None:
    write("new/a.json", bench_id="a")
    sides = InputPaths(baseline=("old",), current=("new",), promotion="aether-guard promote --reason 'first baseline'")
    missing, new = judge_sides(sides, BOOK, TODAY)
    assert missing.reason == "old: no such file; no baseline yet? aether-guard promote --reason 'first baseline'"
    assert (new.bench_id, new.verdict, new.baseline) == ("a", "pass", None)
    write("old/b.json", bench_id="b")
    assert not any("promote" in judged.reason for judged in judge_sides(sides, BOOK, TODAY))


def found(*summaries: Summary, failed: tuple[str, ...] = (), unjudged: tuple[str, ...] = ()) -> Importing:
    """Return a reader of both sides; the benches without figures are on the current side only."""
    problems = [LoadError("now", f"now: {name}: broken", bench_id=name) for name in failed]
    problems += [LoadError("now", f"now: {name}: skipped", bench_id=name, is_error=False) for name in unjudged]
    baseline = [LoadedSummary("old", summary) for summary in summaries]
    current = [item for item in baseline if item.summary.bench_id not in {*failed, *unjudged}]
    return lambda paths: (current, problems) if "now" in paths else (baseline, [])


def test_a_bench_that_failed_is_one_error(summary: Callable[..., Summary]) -> None:
    sides = InputPaths(baseline=("old",), current=("now",))
    read = found(summary(bench_id="a"), summary(bench_id="b"), failed=("b",))
    judgements = judge_sides(sides, BOOK, TODAY, read)
    assert verdicts(judgements) == [("b", "error"), ("a", "pass")]
    assert judgements[0].reason == "now: b: broken"


def test_a_bench_without_figures_is_an_error_where_the_other_side_has_some(summary: Callable[..., Summary]) -> None:
    sides = InputPaths(baseline=("old",), current=("now",))
    read = found(summary(bench_id="a"), summary(bench_id="b"), unjudged=("b", "c"))
    judgements = judge_sides(sides, BOOK, TODAY, read)
    assert verdicts(judgements) == [("b", "error"), ("c", "pass"), ("a", "pass")]
    assert [judged.judged for judged in judgements] == [True, False, True]


def test_a_bench_that_had_no_figure_before_is_new(summary: Callable[..., Summary]) -> None:
    now = [LoadedSummary("now", summary(bench_id="a"))]
    before = [LoadError("old", f"old: {name}: skipped", bench_id=name, is_error=False) for name in ("a", "b")]
    still = [LoadError("now", "now: b: skipped", bench_id="b", is_error=False)]
    sides = InputPaths(baseline=("old",), current=("now",))
    listed = judge_sides(sides, BOOK, TODAY, lambda paths: (now, still) if "now" in paths else ([], before))
    assert [(judged.bench_id, judged.verdict, judged.judged) for judged in listed] == [
        ("b", "pass", False),
        ("a", "pass", True),
    ]


def test_a_folder_that_is_called_like_a_summary_is_an_error_and_the_others_are_judged(
    write: Callable[..., str], tmp_path: Path
) -> None:
    write("old/a.json", bench_id="a")
    write("new/a.json", bench_id="a")
    (tmp_path / "new" / "b.json").mkdir()
    judgements = judge("old", "new")
    assert verdicts(judgements) == [(None, "error"), ("a", "pass")]
    assert "a folder, not a file" in judgements[0].reason


@pytest.mark.parametrize("empty", ["empty", "empty/*.json", "absent/*.json"])
def test_a_folder_or_glob_without_a_summary_is_an_error(write: Callable[..., str], tmp_path: Path, empty: str) -> None:
    (tmp_path / "empty").mkdir()
    write("old/a.json", bench_id="a")
    judgements = judge(empty, "old")
    assert judgements[0].verdict == "error"
    assert judgements[0].reason.startswith(f"{empty}: no ")


def test_a_glob_with_a_line_break_is_named_in_one_line() -> None:
    judgements = judge("a\n*.json", "b\n*.json")
    assert len(judgements) == 2
    assert not any("\n" in judged.reason for judged in judgements)


def test_hidden_files_of_a_folder_are_none_of_its_summaries(write: Callable[..., str]) -> None:
    write("old/a.json", bench_id="a")
    write("new/a.json", bench_id="a")
    write("new/.a.json.123.tmp", bench_id="b")
    write("new/.b.json", bench_id="b")
    assert verdicts(judge("old", "new")) == [("a", "pass")]


def test_what_cannot_be_compared_names_both_files(write: Callable[..., str]) -> None:
    old, new = write("old.json", bench_id="a"), write("new.json", bench_id="b")
    reason = judge(old, new)[0].reason
    assert reason == "new.json: bench_id differs: 'a' in the baseline, 'b' now (old.json)"


def test_an_expected_bench_without_a_current_is_an_error(write: Callable[..., str]) -> None:
    write("old/a.json", bench_id="a")
    write("new/a.json", bench_id="a")
    book = PolicySet(expected=("a", "b"))
    unmet, known = judge("old", "new", book=book)
    assert verdicts([known, unmet]) == [("a", "pass"), ("b", "error")]
    assert unmet.reason == "b: expected, and there is no current summary"


def test_an_expected_bench_that_is_new_is_there(write: Callable[..., str]) -> None:
    write("old/a.json", bench_id="a")
    write("new/a.json", bench_id="a")
    write("new/b.json", bench_id="b")
    judgements = judge("old", "new", book=PolicySet(expected=("a", "b")))
    assert {judged.verdict for judged in judgements} == {"pass"}


def test_an_expected_bench_that_vanished_is_one_error(write: Callable[..., str]) -> None:
    write("old/a.json", bench_id="a")
    write("old/b.json", bench_id="b")
    write("new/a.json", bench_id="a")
    judgements = judge("old", "new", book=PolicySet(expected=("b",)))
    assert [judged.bench_id for judged in judgements if judged.verdict == "error"] == ["b"]


def test_an_expected_bench_whose_baseline_is_missing_is_not_said_to_be_missing_itself(
    write: Callable[..., str],
) -> None:
    judgements = judge("absent.json", write("new.json", bench_id="a"), book=PolicySet(expected=("a",)))
    assert [judged.current_path for judged in judgements] == ["absent.json"]


def test_each_bench_is_judged_by_its_own_policy(write: Callable[..., str]) -> None:
    for name in ("a", "b"):
        write(f"old/{name}.json", bench_id=name, p95=10)
        write(f"new/{name}.json", bench_id=name, p95=11)
    judgements = judge(
        "old", "new", book=PolicySet(by_glob=(("glob", "b", PolicyOverrides(gate=0.05, warn_only=True)),))
    )
    assert verdicts(judgements) == [("a", "pass"), ("b", "regression")]
    assert [(judged.gate, judged.warn_only) for judged in judgements] == [(0.2, False), (0.05, True)]
