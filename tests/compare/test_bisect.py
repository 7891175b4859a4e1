from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from aether_compare.bisect.bisection import BisectResult, bisect
from aether_compare.bisect.findings import FindingStore
from aether_compare.bisect.judge import BisectSpec, finding_of
from aether_compare.bisect.report import render_json, render_text
from aether_compare.testing import FakeJudge
from aether_compare.vcs.repository import Repository, Revision, find_repository, resolve
from aether_guard.errors import GuardError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Guard = Callable[..., subprocess.CompletedProcess[str]]

BENCH = """
from __future__ import annotations

import time
from contextlib import contextmanager

from msgspec import Struct

from product import SECONDS


class Params(Struct, frozen=True, kw_only=True):
    pass


class Session:
    def sample(self):
        time.sleep(SECONDS)

    def verify(self):
        pass


class Bench:
    bench_id = name = "pace"
    metric = "duration_ms"
    params_type = Params
    about = "sleeps"

    @contextmanager
    def open(self, params, place):
        yield Session()


pace = Bench()
"""


def git(root: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    done = subprocess.run(
        ["git", *identity, *arguments],  # noqa: S607 - the one on the PATH, as the guard's
        cwd=root,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "project"
    place.mkdir()
    git(place, "init", "--quiet", "--initial-branch", "main")
    return place


@pytest.fixture
def history(root: Path) -> list[str]:
    """Commit eight times, and return the commits, oldest first."""
    for number in range(8):
        git(root, "commit", "--quiet", "--allow-empty", "--message", f"number {number}")
    return git(root, "rev-list", "--reverse", "HEAD").split()


@pytest.fixture
def search(root: Path, tmp_path: Path) -> Callable[..., BisectResult]:
    """Search between two commits with a judge, and keep the evidence in the test's folder."""

    def run(  # noqa: PLR0913 - what a search is made of
        good: str,
        bad: str,
        judge: FakeJudge,
        said: list[str] | None = None,
        *,
        gate: float = 0.02,
        own_gate: bool = False,
    ) -> BisectResult:
        repository: Repository = find_repository(str(root))
        ends: tuple[Revision, Revision] = resolve(repository, good), resolve(repository, bad)
        terms = BisectSpec(bench="pace", good=ends[0].commit, gate=gate, alpha=0.001, quantile="p50", max_time_s=1.0)
        evidence = FindingStore(str(tmp_path / "evidence"), "pace", [good])
        say = (said if said is not None else []).append
        return bisect(repository, ends, terms, judge, evidence, say=say, fixed_gate=own_gate)

    return run


def test_the_first_bad_commit_is_named_with_who_and_what(
    search: Callable[..., BisectResult], history: Sequence[str]
) -> None:
    judge = FakeJudge(history[5:])
    found = search(history[0], "main", judge)
    (commit,) = found.suspects
    assert (commit.commit, commit.subject, commit.author) == (history[5], "number 5", "A")
    assert judge.asked[0] == history[7]
    assert len(judge.asked) <= 4
    # Half of what lies between the ends tells good from bad.
    assert (found.change, found.gate, found.commits) == (0.1, 0.05, 7)
    text = render_text(found)
    assert text.startswith(f"pace: worse since\n\n  {history[5][:10]}  ")
    assert "A: number 5\n" in text
    assert json.loads(render_json(found))["suspects"][0]["commit"] == history[5]


def test_a_gate_of_ones_own_is_kept(search: Callable[..., BisectResult], history: Sequence[str]) -> None:
    assert search(history[0], "main", FakeJudge(history[5:]), gate=0.03, own_gate=True).gate == 0.03


def test_a_search_goes_on_where_it_was(
    search: Callable[..., BisectResult], history: Sequence[str], tmp_path: Path
) -> None:
    first = FakeJudge(history[5:])
    before = search(history[0], "main", first)
    again = FakeJudge(history[5:])
    said: list[str] = []
    assert search(history[0], "main", again, said) == before
    assert again.asked == []
    assert sum("known from before" in line for line in said) == len(first.asked)
    torn = next((tmp_path / "evidence").rglob(f"{first.asked[1]}*.json"))
    torn.write_bytes(torn.read_bytes()[:-9])
    third = FakeJudge(history[5:])
    assert search(history[0], "main", third, said) == before
    assert third.asked == [first.asked[1]]
    assert f"{torn}: cannot be read; measured again" in said


def test_commits_that_cannot_be_judged_are_passed_over(
    search: Callable[..., BisectResult], history: Sequence[str]
) -> None:
    reasons = {history[4]: "does not build", history[3]: "nor this"}
    found = search(history[0], "main", FakeJudge(history[4:], reasons))
    assert [commit.commit for commit in found.suspects] == [history[3], history[4], history[5]]
    text = render_text(found)
    assert "worse since one of 3 commits; those between could not be judged" in text
    assert f"{history[4][:10]}: cannot be judged: does not build" in text


def test_a_merge_counts_as_one_commit(search: Callable[..., BisectResult], root: Path, history: Sequence[str]) -> None:
    git(root, "checkout", "--quiet", "-b", "topic", history[3])
    git(root, "commit", "--quiet", "--allow-empty", "--message", "slow")
    git(root, "checkout", "--quiet", "main")
    git(root, "merge", "--quiet", "--no-ff", "topic", "--message", "merged")
    merge = git(root, "rev-parse", "HEAD")
    found = search(history[0], "main", FakeJudge([merge]))
    assert [commit.commit for commit in found.suspects] == [merge]
    assert "A merge." in render_text(found)


@pytest.mark.parametrize(
    ("bad", "skipped", "message"),
    [
        ([], {}, "not worse by more than 2 %"),
        ([7], {7: "no such bench"}, "cannot be measured: no such bench"),
    ],
)
def test_ends_that_are_not_as_said_are_one_line(
    search: Callable[..., BisectResult], history: Sequence[str], bad: list[int], skipped: dict[int, str], message: str
) -> None:
    judge = FakeJudge([history[at] for at in bad], {history[at]: reason for at, reason in skipped.items()})
    with pytest.raises(GuardError, match=message) as caught:
        search(history[0], "main", judge)
    assert "\n" not in str(caught.value)


def test_an_end_that_is_no_ancestor_is_one_line(search: Callable[..., BisectResult], history: Sequence[str]) -> None:
    with pytest.raises(GuardError, match="not an ancestor of"):
        search("main", history[2], FakeJudge([]))
    with pytest.raises(GuardError, match="the same commit"):
        search("main", "main", FakeJudge([]))


def test_whatever_became_many_times_worse_is_told_apart_at_the_largest_gate(
    search: Callable[..., BisectResult], history: Sequence[str]
) -> None:
    found = search(history[0], "main", FakeJudge(history[5:], by=9.0))
    assert [commit.commit for commit in found.suspects] == [history[5]]
    assert (found.change, found.gate) == (9.0, 1.0)


@pytest.mark.parametrize(
    ("verdict", "answer"),
    [("regression", "bad"), ("pass", "good"), ("improvement", "good"), ("inconclusive", "skip"), ("error", "skip")],
)
def test_a_verdict_of_ab_is_an_answer(verdict: str, answer: str) -> None:
    report: dict[str, Any] = {
        "verdict": verdict,
        "change": 0.1,
        "interval": [0.0, 0.2],
        "pairs": 7,
        "elapsed_s": 1.0,
        "reason": "r",
    }
    found = finding_of("abc", report)
    assert (found.answer, found.verdict, found.interval, found.pairs) == (answer, verdict, (0.0, 0.2), 7)


@pytest.mark.parametrize(("good_s", "bad_s"), [(0.02, 0.04), (0.006, 0.03)], ids=["twice", "five times"])
def test_a_slower_commit_of_a_real_repository_is_found_and_nothing_is_left_behind(
    guard: Guard, root: Path, tmp_path: Path, good_s: float, bad_s: float
) -> None:
    paths = [path for path in sys.path if path]
    (root / "install.py").write_text(
        "import pathlib, sysconfig\n"
        "folder = pathlib.Path(sysconfig.get_path('purelib'))\n"
        f"lines = [str(pathlib.Path('src').resolve()), *{paths!r}]\n"
        "folder.joinpath('side.pth').write_text('\\n'.join(lines))\n"
    )
    (root / "benches.py").write_text(BENCH)
    (root / "aether.toml").write_text('[ab]\nsetup = "{python} install.py"\n')
    (root / ".gitignore").write_text("target\n")
    (root / "src").mkdir()
    commits = []
    for number in range(4):
        (root / "src" / "product.py").write_text(f"SECONDS = {bad_s if number > 1 else good_s}\nNUMBER = {number}\n")
        git(root, "add", "--all")
        git(root, "commit", "--quiet", "--message", f"number {number}")
        commits.append(git(root, "rev-parse", "HEAD"))
    before = git(root, "status", "--porcelain"), git(root, "for-each-ref"), git(root, "stash", "list")
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    arguments = ("bisect", "benches.py::pace", "--good", commits[0], "--alpha", "0.05")
    done = guard(*arguments, cwd=root, env=cache)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"benches.py::pace: worse since\n\n  {commits[2][:10]}")
    assert (git(root, "status", "--porcelain"), git(root, "for-each-ref"), git(root, "stash", "list")) == before
    assert git(root, "worktree", "list").count("\n") == 0
    # What was measured is there to be looked at again.
    pairs = next((root / "target").rglob(f"{commits[3]}.pairs.jsonl"))
    assert guard("ab", "--replay", str(pairs)).returncode == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--good", "nope"], "nope: no such revision"),
        (["--good", "main"], "are the same commit"),
        (["--good", "main", "-o", "."], "cannot be written"),
    ],
)
def test_what_cannot_be_searched_is_one_line(guard: Guard, root: Path, arguments: list[str], message: str) -> None:
    git(root, "commit", "--quiet", "--allow-empty", "--message", "x")
    done = guard("bisect", "packaging", *arguments, cwd=root)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
