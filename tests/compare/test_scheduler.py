from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING

import pytest

from aether_compare.pair import SamplePair
from aether_compare.scheduler import Comparison, run_comparisons
from aether_compare.testing import ScriptedPairSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    MakeContested = Callable[..., Comparison]

WORSE, ALIKE = (1.0, 2.0), (1.0, 1.019)
PAIR_S = 0.25
BETS = 7


class Clock:
    """A clock that goes on by a quarter of a second a pair."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    def tick(self) -> None:
        self.now_s += PAIR_S


class Seen:
    """Writes down what a watcher is told."""

    def __init__(self) -> None:
        self.pairs: list[str] = []
        self.left_s: list[float] = []
        self.decisions: list[str] = []
        self.ends = 0

    def pairs_added(self, comparison: Comparison, left_s: float) -> None:
        self.pairs.append(comparison.question.bench_id)
        self.left_s.append(left_s)

    def decided(self, comparison: Comparison) -> None:
        self.decisions.append(comparison.question.bench_id)

    def ended(self) -> None:
        self.ends += 1


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def seen() -> Seen:
    return Seen()


def close_calls() -> Iterator[tuple[float, float]]:
    """Yield pairs that lie on both sides of the gate in turn, so that nothing is ever decided."""
    while True:
        yield (1.0, 1.0)
        yield (1.0, 1.0404)


def test_a_plain_regression_is_decided_before_the_time_is_over(
    comparison: MakeContested, clock: Clock, seen: Seen
) -> None:
    bench = comparison()
    run_comparisons([(bench, ScriptedPairSource(repeat(WORSE), clock.tick))], 100, seen, clock)
    assert bench.trial.verdict == "regression"
    assert bench.elapsed_s == len(bench.pairs) * PAIR_S < 100
    assert seen.decisions == ["thing"]


def test_the_time_ends_what_is_undecided(comparison: MakeContested, clock: Clock, seen: Seen) -> None:
    bench = comparison()
    run_comparisons([(bench, ScriptedPairSource(close_calls(), clock.tick))], 10, seen, clock)
    assert (bench.trial.verdict, bench.trial.final_verdict) == (None, "inconclusive")
    assert len(bench.pairs) == 10 / PAIR_S
    assert (seen.left_s[0], seen.left_s[-1]) == (10 - PAIR_S, 0)
    assert (seen.decisions, seen.ends) == ([], 1)


def test_benches_take_turns_of_a_life_each(comparison: MakeContested, clock: Clock, seen: Seen) -> None:
    scripts = [ScriptedPairSource(close_calls(), clock.tick, BETS), ScriptedPairSource(close_calls(), clock.tick, BETS)]
    benches = [comparison("first"), comparison("second")]
    run_comparisons(list(zip(benches, scripts, strict=True)), 3 * BETS * PAIR_S, seen, clock)
    assert seen.pairs == ["first"] * BETS + ["second"] * BETS + ["first"] * BETS
    assert [script.blocks for script in scripts] == [2, 1]
    assert [len(bench.pairs) for bench in benches] == [2 * BETS, BETS]


def test_what_is_decided_leaves_its_time_to_the_others(comparison: MakeContested, clock: Clock, seen: Seen) -> None:
    clear, close = comparison("clear"), comparison("close")
    run_comparisons(
        [
            (clear, ScriptedPairSource(repeat(WORSE), clock.tick)),
            (close, ScriptedPairSource(close_calls(), clock.tick)),
        ],
        100,
        seen,
        clock,
    )
    assert clear.trial.verdict == "regression"
    assert clear.elapsed_s + close.elapsed_s == pytest.approx(100)
    assert close.elapsed_s > 90


def test_one_that_fails_leaves_the_others_be(comparison: MakeContested, clock: Clock, seen: Seen) -> None:
    broken, sound = comparison("broken"), comparison("sound")
    run_comparisons(
        [(broken, ScriptedPairSource([WORSE] * 3, clock.tick)), (sound, ScriptedPairSource(repeat(WORSE), clock.tick))],
        100,
        seen,
        clock,
    )
    assert (broken.problem, len(broken.pairs)) == ("the script is over", 3)
    assert (sound.problem, sound.trial.verdict) == (None, "regression")
    assert seen.decisions == ["broken", "sound"]


@pytest.mark.parametrize(("pair", "side"), [((0.0, 1.0), "before"), ((1.0, -1.0), "after"), ((1.0, 1e300), "after")])
def test_a_figure_that_has_no_ratio_is_named_with_its_bench_and_side(
    comparison: MakeContested, clock: Clock, seen: Seen, pair: tuple[float, float], side: str
) -> None:
    bench = comparison()
    run_comparisons([(bench, ScriptedPairSource([pair], clock.tick))], 100, seen, clock)
    assert bench.problem is not None
    assert bench.problem.startswith(f"thing: {side}: a sample of ")
    assert bench.pairs == []


def test_the_watcher_is_told_of_the_end_even_of_one_that_is_interrupted(comparison: MakeContested, seen: Seen) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_comparisons([(comparison(), ScriptedPairSource([WORSE], interrupt))], 100, seen)
    assert seen.ends == 1


def test_no_time_takes_no_pair(comparison: MakeContested, clock: Clock, seen: Seen) -> None:
    script = ScriptedPairSource(repeat(ALIKE), clock.tick)
    run_comparisons([(comparison(), script)], 0, seen, clock)
    assert (script.blocks, seen.pairs) == (0, [])


def test_a_pair_is_kept_as_it_was_measured(comparison: MakeContested, clock: Clock, seen: Seen) -> None:
    bench = comparison()
    run_comparisons([(bench, ScriptedPairSource([ALIKE], clock.tick))], PAIR_S, seen, clock)
    assert bench.pairs == [SamplePair(old=1.0, new=1.019, new_first=False, block=0)]
