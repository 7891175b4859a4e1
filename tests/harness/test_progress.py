from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aether_harness.cli.progress import LogObserver, format_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether_harness.measure.runner import RoundResult

    RoundOf = Callable[..., RoundResult]


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_log_has_the_time_left(round_of: RoundOf, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    observer = LogObserver(4, {"a": "ms", "b": "ms"}, clock=clock)
    for number, bench_id in enumerate("abab", 1):
        clock.now += 10
        observer.round_ended(bench_id, (number + 1) // 2, round_of(1.0))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "a: round 1 of 4: p50 1 ms, about 70 s left"
    assert lines[-1] == "b: round 2 of 4: p50 1 ms, about 40 s left"


def test_the_time_left_is_bounded_by_max_time(round_of: RoundOf, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    observer = LogObserver(100, {"a": "ms"}, max_time_s=30.0, clock=clock)
    clock.now = 10
    observer.round_ended("a", 1, round_of(1.0))
    assert capsys.readouterr().err == "a: round 1 of 100: p50 1 ms, about 20 s left\n"


def test_short_runs_have_no_estimate(round_of: RoundOf, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    observer = LogObserver(2, {"a": "ms"}, clock=clock)
    clock.now = 1
    observer.round_ended("a", 1, round_of(1.0))
    assert capsys.readouterr().err == "a: round 1 of 2: p50 1 ms\n"


def test_a_log_is_never_silent_for_long(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    observer = LogObserver(2, {"a": "ms"}, clock=clock)
    for seconds in range(0, 100, 10):
        clock.now = seconds
        observer.sample_taken("a", 1, seconds // 10)
    assert capsys.readouterr().err.splitlines() == [f"a: round 1 of 2: {count} samples" for count in (3, 6, 9)]


@pytest.mark.parametrize(("seconds", "text"), [(40, "40 s"), (119, "119 s"), (600, "10 min"), (9000, "2.5 h")])
def test_seconds_are_printed_in_a_fitting_unit(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
