from __future__ import annotations

import sys
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_harness.machine.steal import ProcStat, StealMeter, steal_ticks

TICK = 10_000_000
STAT = b"cpu  9 9 9 9 9 9 9 99 9 9\ncpu1 1 2 3 4 5 6 7 11 9 9\ncpu11 1 2 3 4 5 6 7 13 9 9\ncpu3 1 2 3 4 5 6 7 17 9 9\n"


class Step(NamedTuple):
    """A pause, then a sample, in nanoseconds, and the ticks stolen in either."""

    pause_ns: int
    pause_ticks: int
    sample_ns: int
    sample_ticks: int


class Machine:
    """A clock, and a count of steal that notes how often it is read."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.ticks = 0
        self.readings = 0
        self.meter = StealMeter(self.read_ns, TICK)

    def read_ns(self) -> int:
        self.readings += 1
        return self.ticks * TICK

    def take(self, *, pause_ns: int = 0, pause_ticks: int = 0, sample_ns: int = 0, sample_ticks: int = 0) -> int | None:
        """Return what is charged to a sample after a pause."""
        self.now_ns, self.ticks = self.now_ns + pause_ns, self.ticks + pause_ticks
        self.meter.begin(self.now_ns)
        self.now_ns, self.ticks = self.now_ns + sample_ns, self.ticks + sample_ticks
        return self.meter.end(self.now_ns)


STEPS = st.lists(st.builds(Step, st.integers(0, 2 * TICK), st.just(0), st.integers(1, 2 * TICK), st.integers(0, 3)))


@given(STEPS)
def test_no_tick_of_a_sample_is_lost_and_none_is_charged_twice(steps: list[Step]) -> None:
    machine = Machine()
    charged = sum(machine.take(**step._asdict()) or 0 for step in steps)
    charged += machine.take(sample_ns=TICK) or 0
    assert charged == machine.ticks * TICK


@given(STEPS)
def test_what_is_charged_came_in_this_sample_or_in_short_ones_since_the_last_reading(steps: list[Step]) -> None:
    machine, waiting = Machine(), 0
    for step in steps:
        before = machine.readings
        charged = machine.take(**step._asdict())
        waiting += step.sample_ticks
        assert charged in {0, waiting * TICK}
        if charged or machine.readings > before:
            waiting = 0


@given(STEPS)
def test_what_takes_a_tick_or_more_from_a_sample_is_charged_to_that_sample(steps: list[Step]) -> None:
    machine = Machine()
    for step in steps:
        machine.take(**step._asdict())
    charged = machine.take(sample_ns=3 * TICK, sample_ticks=3)
    assert (charged or 0) >= 3 * TICK


def test_what_is_stolen_in_a_pause_is_charged_to_no_sample() -> None:
    machine = Machine()
    assert machine.take(sample_ns=TICK) == 0
    assert machine.take(pause_ns=TICK, pause_ticks=5, sample_ns=1) == 0
    assert machine.take(pause_ns=TICK, pause_ticks=5, sample_ns=1, sample_ticks=1) == TICK


def test_samples_that_follow_one_another_are_asked_about_once_a_tick() -> None:
    machine = Machine()
    for _ in range(1000):
        machine.take(sample_ns=TICK // 100)
    assert machine.readings <= 12


def test_a_system_that_does_not_tell_says_nothing_of_any_sample() -> None:
    meter = StealMeter(lambda: None, TICK)
    for now in range(0, 3 * TICK, TICK // 4):
        meter.begin(now)
        assert meter.end(now + 1) is None


def test_the_steal_of_a_cpu_is_in_the_column_of_its_own_line() -> None:
    assert steal_ticks(STAT, [b"\ncpu1 "]) == 11
    assert steal_ticks(STAT, [b"\ncpu11 ", b"\ncpu3 "]) == 13 + 17


@pytest.mark.parametrize("start", [b"\ncpu2 ", b"\ncpu 9"])
def test_a_cpu_that_has_no_line_is_none_that_had_nothing_stolen(start: bytes) -> None:
    with pytest.raises(ValueError, match="not found"):
        steal_ticks(STAT, [start])


def test_a_line_without_the_column_is_refused() -> None:
    with pytest.raises(IndexError):
        steal_ticks(b"cpu 1\ncpu1 1 2 3 4\n", [b"\ncpu1 "])


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc/stat")
def test_the_file_is_read_anew_each_time_and_tells_nothing_of_a_cpu_that_is_not_there() -> None:
    with open("/proc/stat", "rb") as stat:
        before = steal_ticks(stat.read(), [b"\ncpu0 "])
    real, missing = ProcStat((0,)), ProcStat((100_000,))
    try:
        assert (real.read_ns() or 0) >= before * real.tick_ns
        assert missing.read_ns() is None
    finally:
        real.close()
        missing.close()
    assert real.read_ns() is None
