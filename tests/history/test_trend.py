from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_guard.errors import GuardError
from aether_history.analysis import HistoryQuery, HistoryReport, analyze, parse_renames
from aether_history.commits import web_address
from aether_history.run_order import order_runs
from aether_history.series import Point, Series, build_series, possible_renames
from aether_history.store import LocalStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from aether_history.row import Row

    Make = Callable[..., Row]
    History = Callable[[Sequence[Row]], str]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., HistoryReport]:
    """Read the history of the test's folder, which is in no repository."""
    monkeypatch.chdir(tmp_path)

    def course(**asked: Any) -> HistoryReport:
        return analyze(LocalStore("history"), HistoryQuery(**asked), None, lambda _line: None)

    return course


def stepped(make: Make, size: float = 1.1, at: int = 30, count: int = 60, **changes: Any) -> list[Row]:
    """Return the runs of a bench whose level changes by a factor at a place, in noise of 1 %."""
    draw = Random(1)
    return [
        make(number, p50=10 * math.exp(draw.gauss(0, 0.01)) * (size if number >= at else 1), **changes)
        for number in range(count)
    ]


# The order of runs.


def test_runs_stand_in_the_order_of_their_commits_whatever_the_clocks_say() -> None:
    order = order_runs(["1", "2", "3", "4"], ["d", "b", "c", "a"], [None] * 4, {"a": 0, "b": 1, "c": 2, "d": 3})
    assert order.places == (3, 1, 2, 0)
    assert order.reordered == 3
    assert order.unknown == ()


def test_a_rebased_commit_keeps_the_place_its_time_gives_it() -> None:
    order = order_runs(["1", "2", "3"], ["b", "gone", "a"], [None] * 3, {"a": 0, "b": 1})
    assert order.places == (2, 1, 0)
    assert order.unknown == ("gone",)


def test_where_git_knows_nothing_the_commits_own_times_decide() -> None:
    order = order_runs(["1", "2"], ["x", "y"], ["2026-02", "2026-01"], {})
    assert order.places == (1, 0)
    assert order.unknown == ()


@given(data=st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["a", "b", "c", "x", None])), max_size=20))
def test_every_run_has_one_place_and_known_commits_are_in_order(data: list[tuple[int, str | None]]) -> None:
    data.sort(key=lambda pair: pair[0])
    known = {"a": 2, "b": 1, "c": 0}
    order = order_runs([str(moment) for moment, _ in data], [name for _, name in data], [None] * len(data), known)
    assert sorted(order.places) == list(range(len(data)))
    places = [known[name] for at in order.places if (name := data[at][1]) in known]
    assert places == sorted(places)


# What a trend tells.


def test_a_change_has_its_commits_size_and_confidence(
    history: History, row: Make, read: Callable[..., HistoryReport]
) -> None:
    history(stepped(row))
    (trend,) = read().trends
    (moment,) = trend.changes
    assert (moment.kind, moment.index, trend.runs) == ("regression", 30, 60)
    assert moment.size == pytest.approx(0.1, abs=0.01)
    assert (moment.last_good, moment.first_changed) == (f"{29:040x}", f"{30:040x}")
    assert moment.confidence > 0.99
    assert moment.host_explanation == ""


def test_of_a_throughput_less_is_worse(history: History, row: Make, read: Callable[..., HistoryReport]) -> None:
    history(stepped(row, metric="throughput_mbs", unit="MB/s", better="higher"))
    (moment,) = read().trends[0].changes
    assert moment.kind == "improvement"
    assert moment.size == pytest.approx(-0.1, abs=0.01)


def test_a_change_says_what_else_changed_at_that_moment(
    history: History, row: Make, read: Callable[..., HistoryReport]
) -> None:
    rows = stepped(row, at=30)
    early = '{"cpu":"old","os":"linux"}'
    late = '{"cpu":"new","os":"linux"}'
    machine = [
        row(
            number,
            p50=one.p50,
            environment=early if number < 30 else late,
            kernel="archive-1",
            ruler=0.4 if number < 30 else 0.44,
        )
        for number, one in enumerate(rows)
    ]
    history(machine)
    (moment,) = read().trends[0].changes
    assert moment.environment == ("cpu",)
    assert moment.reference_change == pytest.approx(0.1)
    assert moment.host_explanation == "the environment changed (cpu); by the reference the machine became 10.0 % slower"


def test_an_environment_that_changed_elsewhere_is_not_blamed(
    history: History, row: Make, read: Callable[..., HistoryReport]
) -> None:
    rows = stepped(row, at=30)
    history([row(n, p50=one.p50, environment=f'{{"cpu":{n >= 10:d}}}') for n, one in enumerate(rows)])
    (moment,) = read().trends[0].changes
    assert moment.environment == ()


def test_another_quantile_has_a_course_of_its_own(
    history: History, row: Make, read: Callable[..., HistoryReport]
) -> None:
    draw = Random(2)
    history([row(n, p50=10.0, p95=(20 if n < 30 else 30) * math.exp(draw.gauss(0, 0.01))) for n in range(60)])
    assert not read().trends[0].changes
    assert len(read(quantile="p95").trends[0].changes) == 1


def test_a_bench_with_other_parameters_or_another_unit_is_another_series(
    history: History, row: Make, read: Callable[..., HistoryReport]
) -> None:
    history(
        [row(n, params='{"files":100,"size":1}') for n in range(5)]
        + [row(n, params='{"files":1000,"size":1}') for n in range(5, 10)]
        + [row(n, bench_id="other", metric="value", unit="MB" if n < 13 else "KB") for n in range(10, 16)]
    )
    names = sorted(trend.bench for trend in read().trends)
    assert names == ["other (KB)", "other (MB)", "packaging (files=100)", "packaging (files=1000)"]


def test_a_renamed_bench_is_suspected_and_joined_when_told(
    history: History, row: Make, read: Callable[..., HistoryReport]
) -> None:
    rows = stepped(row)
    history([row(n, p50=one.p50, bench_id="old" if n < 20 else "new") for n, one in enumerate(rows)])
    assert read().hints == ("old: ends where new begins; if that is its new name: --renamed old=new",)
    for benches in ((), ("new",), ("n*",)):
        course = read(benches=benches, renamed={"old": "new"})
        (trend,) = course.trends
        assert (trend.bench, trend.runs, course.hints) == ("new", 60, ())
        assert trend.changes[0].index == 30


def bench_of(name: str, first: int, last: int, unit: str = "ms") -> Series:
    """Return a bench of two runs."""
    points = tuple(
        Point(value=1.0, timestamp=f"{at:06}", commit=None, environment="{}", kernel=None, ruler=None)
        for at in (first, last)
    )
    return Series(name=name, unit=unit, better="lower", points=points)


def test_a_rename_is_suspected_only_of_one_bench_alone() -> None:
    ended, began = bench_of("ended", 1, 2), bench_of("began", 3, 4)
    others = [bench_of("another unit", 3, 4, unit="s"), bench_of("while it lasts", 2, 9)]
    hint = "ended: ends where began begins; if that is its new name: --renamed ended=began"
    assert possible_renames([ended, began, *others]) == [hint]
    assert possible_renames([ended, began, bench_of("as well", 4, 5)]) == []


def test_any_number_of_benches_may_have_been_renamed() -> None:
    # Each against each, these would take hours.
    count = 60_000
    series = [bench_of(f"old {at}", at, at + 1) for at in range(count)]
    assert len(possible_renames(series)) == 1
    chain = parse_renames([f"{at}={at + 1}" for at in range(count)])
    assert set(chain.values()) == {str(count)}
    columns = {
        **{name: np.array(["x"] * count) for name in ("bench_id", "metric", "unit")},
        **{name: np.array([None] * count) for name in ("commit", "commit_time", "branch", "environment", "kernel")},
        "better": np.array(["lower"] * count),
        "params": np.array([f'{{"same":1,"level":{at}}}' for at in range(count)]),
        "timestamp": np.array(["2026"] * count),
        "ruler": np.array([math.nan] * count),
        "value": np.ones(count),
    }
    assert len({one.name for one in build_series(columns, {}, {}, one_branch=True)}) == count


def test_names_of_before_are_followed_to_the_last() -> None:
    assert parse_renames(["a=b", "b=c"]) == {"a": "c", "b": "c"}
    for wrong in (["a"], ["=b"], ["a="], ["a=b", "b=a"], ["a=a"], ["x=a", "a=b", "b=a"]):
        with pytest.raises(GuardError, match="--renamed"):
            parse_renames(wrong)


def test_branches_are_told_apart_when_one_is_asked_for(
    history: History, row: Make, read: Callable[..., HistoryReport]
) -> None:
    history([row(n, branch="main" if n % 2 else "topic") for n in range(10)])
    (together,) = read().trends
    assert together.runs == 10
    assert together.notes == ("runs of 2 branches together (main, topic); --branch takes one",)
    (alone,) = read(branch="main").trends
    assert (alone.runs, alone.notes) == (5, ())


def test_benches_are_asked_for_by_name_or_glob(history: History, row: Make, read: Callable[..., HistoryReport]) -> None:
    history([row(n, bench_id=name) for n in range(2) for name in ("pack", "packed", "stream", "a[1]")])
    assert sorted(trend.bench for trend in read(benches=("pack*",)).trends) == ["pack", "packed"]
    assert [trend.bench for trend in read(benches=("a[1]",)).trends] == ["a[1]"]
    with pytest.raises(GuardError, match="strem: no run of this bench; did you mean stream"):
        read(benches=("strem",))


def test_a_bench_that_is_asked_for_leaves_out_runs_without_the_quantile(
    history: History, row: Make, read: Callable[..., HistoryReport]
) -> None:
    history([row(0), row(1, p95=None), row(2)])
    assert len(read(benches=("pack*",), quantile="p95").series[0].points) == 2


def test_an_injection_into_the_query_is_a_name_like_any_other(
    history: History, row: Make, read: Callable[..., HistoryReport]
) -> None:
    history([row(0)])
    with pytest.raises(GuardError, match="no run of this bench"):
        read(benches=("x' OR '1'='1", "*'; DROP TABLE x; --"))


def test_a_run_that_is_there_twice_counts_once(
    history: History, row: Make, read: Callable[..., HistoryReport], tmp_path: Path
) -> None:
    folder = tmp_path / history([row(n) for n in range(4)])
    first = min(folder.iterdir())
    (folder / f"copy-{first.name}").write_bytes(first.read_bytes())
    assert read().trends[0].runs == 4


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/o/r.git", "https://github.com/o/r"),
        ("https://user:secret@github.com/o/r", "https://github.com/o/r"),
        ("git@github.com:o/r.git", "https://github.com/o/r"),
        ("ssh://git@gitlab.example.org:2222/group/sub/r.git", "https://gitlab.example.org/group/sub/r"),
        ("http://localhost:3000/o/r", "https://localhost:3000/o/r"),
        ("/srv/r.git", None),
        ("../r", None),
        ("javascript:alert(1)", None),
        ("https://x.org/\" onload='x", None),
        ("", None),
    ],
)
def test_a_remote_becomes_the_address_people_look_at(remote: str, address: str | None) -> None:
    assert web_address(remote) == address
