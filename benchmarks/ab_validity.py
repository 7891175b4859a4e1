"""Simulates `aether-guard ab` where the answer is known: `hatch run guard:validity [--runs N] [--seed N]`.

First the promise: with the true change exactly at the gate, in noise of several shapes, it measures the share of runs
that ever call it worse, or not worse. The share must be at most alpha. Then the price: the number of blocks to a
verdict. The mathematics is that of `aether_compare.stats`, on many runs at once; a test compares the two. Exits with 1
if a promise is broken.
"""

from __future__ import annotations

import argparse
import math
import sys
from itertools import product
from time import process_time
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from aether_compare.stats.e_process import MAX_STAKES, TAIL_STAKES
from aether_compare.stats.scoring import (
    ALTERNATIVE_MULTIPLES,
    MIN_EFFECT,
    MIXTURE_WEIGHTS,
    REFIT_FACTOR,
    TAIL_LEARNING_PAIRS,
    TAIL_SHARES,
)
from aether_compare.stats.sequential_test import TAIL, TestSpec
from aether_compare.stats.variance import (
    CLIP,
    LEARNING_BLOCKS,
    LEARNING_REPEATS,
    MEAN_TO_STANDARD,
    MEDIAN_TO_STANDARD,
    MIN_CLIP,
    MIN_VARIANCE,
    PRIOR,
    PRIOR_BLOCKS,
    PRIOR_FACTOR,
    WINSORIZED_AT,
)
from aether_guard.check.estimate import to_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Truths: TypeAlias = NDArray[np.bool_]
    Noise: TypeAlias = Callable[[np.random.Generator, int, int], Array]

SEED = 20260101
RUNS = 100_000
BLOCKS = 80
#: Pairs simulated at once: enough runs for numpy to be quick, and less than 1 GB.
CHUNK = 1_000_000
ALPHAS = (0.01, 0.001)
#: The chance that a promise that is kept is called broken, over all of the table.
DOUBT = 0.01


# The noise of the two moments of each pair, as logarithms, of shape (pairs, 2, runs).


def gaussian(draw: np.random.Generator, pairs: int, runs: int) -> Array:
    """Return the friendliest noise there is."""
    return 0.01 * draw.standard_normal((pairs, 2, runs))


def heavy(draw: np.random.Generator, pairs: int, runs: int) -> Array:
    """Return Student's t with 2 degrees of freedom, of infinite variance."""
    # Within the figures that `ab` accepts, even if a case is three times as noisy.
    place = draw.random((pairs, 2, runs)) * (1 - 2e-8) + 1e-8
    return 0.01 * (2 * place - 1) / np.sqrt(2 * place * (1 - place))


def spiky(draw: np.random.Generator, pairs: int, runs: int) -> Array:
    """Return quiet noise with one moment in ten that takes up to several times as long."""
    spikes = np.exp(draw.standard_normal((pairs, 2, runs)) - 1.5)
    return gaussian(draw, pairs, runs) + spikes * (draw.random((pairs, 2, runs)) < 0.1)


def drifting(draw: np.random.Generator, pairs: int, runs: int) -> Array:
    """Return noise whose level and whose scale walk."""
    steps = draw.standard_normal((3, 2 * pairs, runs))
    level, scale = 0.01 * steps[0].cumsum(axis=0), np.exp(0.05 * steps[1].cumsum(axis=0))
    return (level + 0.02 * scale * steps[2]).reshape(pairs, 2, runs)


def bimodal(draw: np.random.Generator, pairs: int, runs: int) -> Array:
    """Return two modes that are 20 % apart."""
    return 0.01 * draw.standard_normal((pairs, 2, runs)) + 0.2 * (draw.random((pairs, 2, runs)) < 0.3)


def autocorrelated(draw: np.random.Generator, pairs: int, runs: int) -> Array:
    """Return noise that remembers: from moment to moment nine tenths of it stay, across the pairs as well."""
    noise = 0.02 * draw.standard_normal((2 * pairs, runs))
    for moment in range(1, 2 * pairs):
        noise[moment] = 0.9 * noise[moment - 1] + math.sqrt(1 - 0.9**2) * noise[moment]
    return noise.reshape(pairs, 2, runs)


def second_slower(draw: np.random.Generator, pairs: int, runs: int) -> Array:
    """Return noise in which the second of a pair takes 5 % longer."""
    return gaussian(draw, pairs, runs) + np.array([0.0, 0.05])[:, None]


def resonant(draw: np.random.Generator, pairs: int, runs: int) -> Array:
    """Return noise with a period of about four moments, in which the order of two pairs returns."""
    return _waving(draw, pairs, runs, draw.uniform(3.99, 4.01, runs))


def resonant_from_two_to_four(draw: np.random.Generator, pairs: int, runs: int) -> Array:
    """Return noise with a period between the length of a pair and twice that."""
    return _waving(draw, pairs, runs, draw.uniform(1.99, 4.01, runs))


def _waving(draw: np.random.Generator, pairs: int, runs: int, periods: Array) -> Array:
    moments = np.arange(2 * pairs)[:, None]
    wave = 0.03 * np.sin(2 * math.pi * (moments / periods + draw.random(runs)))
    return gaussian(draw, pairs, runs) + wave.reshape(pairs, 2, runs)


def stepping(draw: np.random.Generator, pairs: int, runs: int) -> Array:
    """Return noise of a machine whose speed changes by some 5 % at one moment in twenty."""
    steps = 0.05 * draw.standard_normal((2 * pairs, runs)) * (draw.random((2 * pairs, runs)) < 0.05)
    return gaussian(draw, pairs, runs) + steps.cumsum(axis=0).reshape(pairs, 2, runs)


NOISES: tuple[Noise, ...] = (
    gaussian,
    heavy,
    spiky,
    drifting,
    bimodal,
    autocorrelated,
    second_slower,
    resonant,
    resonant_from_two_to_four,
    stepping,
)
GATES = (0.0, 0.01, 0.02)
#: The 95th percentile of a standard normal figure.
_NORMAL_95 = 1.6449


class Case(Struct, frozen=True, kw_only=True):
    """A simulated comparison: versions that differ by `change`, in `noise`, in blocks of `pairs`.

    `block_effect` is the standard deviation of the cost of a process among others of the same code, as a logarithm.
    `new_noise` is how many times as noisy the new version is, around the same median, or, with `same_tail`, below the
    same 95th percentile.
    """

    noise: Noise
    rule: TestSpec
    change: float
    pairs: int = 4
    blocks: int = BLOCKS
    block_effect: float = 0.0
    new_noise: float = 1.0
    same_tail: bool = False


def costs_of(draw: np.random.Generator, case: Case, runs: int) -> tuple[Array, Array, Truths]:
    """Return the costs of both versions and whether the new one came first, of shape (blocks, pairs, runs).

    A cost is that of its moment and its process; the new version is changed by `case.change` in addition. A random draw
    decides which version begins a block, and the order alternates between pairs.
    """
    shape = (case.blocks, case.pairs, runs)
    noise = case.noise(draw, case.blocks * case.pairs, runs)
    begins = draw.random((case.blocks, 1, runs)) < 0.5
    new_first = begins ^ (np.arange(case.pairs) % 2 == 1)[:, None]
    first, second = (noise[:, place].reshape(shape) for place in (0, 1))
    old, new = np.where(new_first, (second, first), (first, second))
    new = case.new_noise * new
    if case.same_tail:
        new += 0.01 * _NORMAL_95 * (1 - case.new_noise)
    if case.block_effect:
        effects = case.block_effect * draw.standard_normal((2, case.blocks, 1, runs))
        old, new = old + effects[0], new + effects[1]
    return np.exp(old), np.exp(new + to_log(case.change, lower_is_better=case.rule.lower_is_better)), new_first


# The mathematics of `aether_guard.ab`, on many runs at once. Costs are of shape (blocks, pairs, runs).


def learned(first: int, blocks: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of blocks that use the same estimates from earlier blocks."""
    fitted_at = first
    while fitted_at < blocks:
        until = min(math.ceil(fitted_at * REFIT_FACTOR), blocks)
        yield fitted_at, until
        fitted_at = until


def second_costs(log_ratios: Array, new_first: Truths) -> Array:
    """Return the cost of coming second by each two pairs in a row, of shape (runs, blocks, twos)."""
    twos = log_ratios.shape[1] // 2
    costs = (log_ratios[:, : 2 * twos : 2] - log_ratios[:, 1 : 2 * twos : 2]) / 2
    return np.ascontiguousarray(np.where(new_first[:, : 2 * twos : 2], -costs, costs).transpose(2, 0, 1))


def estimate(blocks: Array, noises: Array) -> tuple[Array, Array, Array]:
    """Return how far a pair counts, the share within that, and the variance that is expected of a score.

    They are learned of blocks of shape (runs, blocks, pairs) and of their noises, of shape (runs, blocks).
    """
    runs, seen_blocks, count = blocks.shape
    usual = np.median(noises, axis=1, keepdims=True)
    noise = np.minimum(noises, WINSORIZED_AT * usual).mean(axis=1) if count > 1 else np.zeros(runs)
    ratios = blocks.reshape(runs, -1)
    distances = ratios - np.median(ratios, axis=1, keepdims=True)
    usual_distance = np.median(np.abs(distances), axis=1)
    clip = np.maximum(np.maximum(usual_distance, CLIP * noise), MIN_CLIP)
    unclipped = (np.abs(distances) <= clip[:, None]).mean(axis=1)
    scores = np.clip(distances, -clip[:, None], clip[:, None]).reshape(blocks.shape).mean(axis=2) / unclipped[:, None]
    deviations = np.abs(scores - np.median(scores, axis=1, keepdims=True))
    most = WINSORIZED_AT * MEDIAN_TO_STANDARD * np.median(deviations, axis=1, keepdims=True)
    seen = (np.minimum(deviations, most) ** 2).sum(axis=1)
    weight = PRIOR_BLOCKS if count > 1 else 0
    variance = (weight * PRIOR_FACTOR * noise**2 / count + seen) / (weight + seen_blocks - 1)
    return clip, unclipped, np.maximum(variance, MIN_VARIANCE)


def noises_of(blocks: Array) -> Array:
    """Return the standard deviations within blocks of shape (blocks, pairs, runs)."""
    count = blocks.shape[1]
    deviations = np.abs(blocks - np.median(blocks, axis=1, keepdims=True)).mean(axis=1)
    return MEAN_TO_STANDARD * deviations * math.sqrt(count / max(count - 1, 1))


def shift_bets(old: Array, new: Array, new_first: Truths, rule: TestSpec, bound: float) -> Iterator[Array]:
    """Yield the gain of each bet by every block, of shape (bets, runs)."""
    log_ratios = np.log(new / old)
    blocks, count, runs = log_ratios.shape
    costs = second_costs(log_ratios, new_first)
    by_run, noises = np.empty((runs, blocks, count)), np.empty((runs, blocks))
    to_gates = (to_log(way * rule.gate, lower_is_better=rule.lower_is_better) for way in (1, -1))
    distance = max(MIN_EFFECT, *map(abs, to_gates))
    multiples, most = (np.array(values)[:, None] for values in (ALTERNATIVE_MULTIPLES, MAX_STAKES))
    first = min(LEARNING_BLOCKS, math.ceil(LEARNING_REPEATS / (count - 1))) if count > 1 else LEARNING_BLOCKS
    prior = tuple(np.full(1, value) for value in (PRIOR.clip, PRIOR.unclipped_share, PRIOR.block))
    for start, end in ((0, 1), *learned(1, blocks)):
        clip, unclipped, variance = estimate(by_run[:, :start], noises[:, :start]) if start >= first else prior
        slopes = multiples * (distance / (variance * unclipped))
        cost = np.median(costs[:, :start].reshape(runs, -1), axis=1) if start and costs.size else 0.0
        levelled = log_ratios[start:end] + np.where(new_first[start:end], cost, -cost)
        by_run[:, start:end], noises[:, start:end] = levelled.transpose(2, 0, 1), noises_of(levelled).T
        for score in np.clip(levelled - bound, -clip, clip).mean(axis=1):
            yield most * np.tanh(slopes / most * score)


def tail_bets(old: Array, new: Array, _: Truths, rule: TestSpec, bound: float) -> Iterator[Array]:
    """Yield the same for a tail."""
    blocks, pairs, runs = old.shape
    by_run = np.ascontiguousarray(old.reshape(blocks * pairs, runs).T)
    stakes = np.array(TAIL_STAKES)[:, None]
    for start, end in learned(math.ceil(TAIL_LEARNING_PAIRS / pairs), blocks):
        threshold = np.quantile(by_run[:, : start * pairs], TAIL if rule.lower_is_better else 1 - TAIL, axis=1)
        for before, after in zip(old[start:end], new[start:end], strict=True):
            over = (np.log(after / threshold) > bound).sum(axis=0) - (before > threshold).sum(axis=0)
            yield stakes * np.sign(over)


def wealths(old: Array, new: Array, new_first: Truths, rule: TestSpec) -> Iterator[Array]:
    """Yield after every block that is bet on the wealths of `Trial.worse` and `Trial.not_worse`, of shape (2, runs)."""
    bets, shares = (shift_bets, MIXTURE_WEIGHTS) if rule.quantile == "p50" else (tail_bets, TAIL_SHARES)
    parts = np.empty((2, len(shares), old.shape[-1]))
    parts[:] = np.array(shares)[:, None]
    for gain in bets(old, new, new_first, rule, to_log(rule.gate, lower_is_better=rule.lower_is_better)):
        parts[0] *= 1 + gain
        parts[1] *= 1 - gain
        np.minimum(parts, 1e300, out=parts)
        yield parts.sum(axis=1)


def play(case: Case, runs: int, seed: Sequence[int]) -> Array:
    """Return how many of `runs` ever reached 1/alpha, of shape (2, alphas): called worse, and not worse."""
    draw = np.random.default_rng(seed)
    reached = np.zeros((2, len(ALPHAS)))
    chunk = max(CHUNK // (case.blocks * case.pairs), 1)
    for start in range(0, runs, chunk):
        old, new, new_first = costs_of(draw, case, min(chunk, runs - start))
        peaks = np.ones((2, old.shape[-1]))
        for wealth in wealths(old, new, new_first, case.rule):
            np.maximum(peaks, wealth, out=peaks)
        reached += (peaks[:, None] * np.array(ALPHAS)[:, None] >= 1).sum(axis=-1)
    return reached


def blocks_to_verdict(case: Case, way: int, runs: int, seed: Sequence[int]) -> Array:
    """Return after how many blocks each run called the change worse (`way` 0) or not (1), infinite where it did not."""
    draw = np.random.default_rng(seed)
    old, new, new_first = costs_of(draw, case, runs)
    taken = np.full(runs, np.inf)
    seen = list(wealths(old, new, new_first, case.rule))
    for block, wealth in zip(range(len(old), 0, -1), reversed(seen), strict=False):
        taken[wealth[way] * case.rule.alpha >= 1] = block
    return taken


# The probability of a result by chance.


def most_likely(count: float, runs: int) -> float:
    """Return the one-sided 95 % upper bound on the probability behind `count` of `runs` (Clopper and Pearson 1934)."""
    low, high = count / runs, 1.0
    while high - low > 1e-7:
        middle = (low + high) / 2
        low, high = (middle, high) if 1 - chance_of(count + 1, runs, middle) > 0.05 else (low, middle)
    return high


def chance_of(count: float, runs: int, share: float) -> float:
    """Return the probability of at least `count` successes in `runs` with the success probability `share`."""
    fewer = np.arange(count)
    if not len(fewer):
        return 1.0
    ways = np.concatenate([[0.0], np.cumsum(np.log((runs - fewer[:-1]) / (fewer[:-1] + 1)))])
    return 1 - float(np.exp(ways + fewer * math.log(share) + (runs - fewer) * math.log1p(-share)).sum())


# The lines to print.


def validity_cases() -> Iterator[tuple[str, Case]]:
    """Yield the cases and their names; the true change is at the gate."""
    for noise, gate in product(NOISES, GATES):
        yield noise.__name__.replace("_", " "), Case(noise=noise, rule=TestSpec(gate=gate), change=gate)
    for effect, pairs, gate in product((0.0, 0.005, 0.01, 0.02, 0.04), (2, 4, 10, 20), GATES):
        case = Case(
            noise=gaussian,
            rule=TestSpec(gate=gate),
            change=gate,
            pairs=pairs,
            blocks=min(BLOCKS, 480 // pairs),
            block_effect=effect,
        )
        yield f"block effect {effect:.1%}, {pairs} pairs", case
    for noise, gate in product((gaussian, heavy), GATES):
        yield (
            f"{noise.__name__}, new version three times as noisy",
            Case(noise=noise, rule=TestSpec(gate=gate), change=gate, new_noise=3.0),
        )
    for noise in (gaussian, heavy, drifting, autocorrelated, second_slower, resonant, stepping):
        rule = TestSpec(gate=0.02, quantile="p95")
        yield noise.__name__.replace("_", " "), Case(noise=noise, rule=rule, change=0.02, pairs=6)


def show_validity(runs: int, seed: int) -> bool:
    """Print which share of the runs broke a promise, and return whether chance explains it everywhere."""
    _print_head("noise", "quantile", "gate", "worse, 1 %", "worse, 0.1 %", "not worse, 1 %", "not worse, 0.1 %")
    cases = list(validity_cases())
    kept = True
    for number, (name, case) in enumerate(cases):
        reached = play(case, runs, (seed, 0, number))
        cells = [_share(count, runs) for count in reached.ravel()]
        print(f"| {name} | {case.rule.quantile} | {case.rule.gate:.0%} |", " | ".join(cells), "|", flush=True)
        level = DOUBT / (2 * len(ALPHAS) * len(cases))
        for count, alpha in zip(reached.ravel(), ALPHAS * 2, strict=True):
            kept &= chance_of(count, runs, alpha) >= level
    return kept


def show_unpromised(runs: int, seed: int) -> None:
    """Print the case without a promise: a new version that varies a third as much with the same p95."""
    _print_head("what", "worse, 1 %", "worse, 0.1 %")
    rule = TestSpec(gate=0.02, quantile="p95")
    case = Case(noise=gaussian, rule=rule, change=0.02, pairs=6, new_noise=1 / 3, same_tail=True)
    cells = [_share(count, runs) for count in play(case, runs, (seed, 3))[0]]
    print("| p95: new version a third as noisy below the same p95 |", " | ".join(cells), "|", flush=True)


def show_power(runs: int, seed: int) -> None:
    """Print how many blocks a verdict takes at a gate of 1 % and an alpha of 0.1 %."""
    _print_head("spread of a block", "change", "verdict", "median", "95 %", "no verdict")
    rule = TestSpec(gate=0.01, alpha=0.001)
    for number, (spread, change) in enumerate(product((0.003, 0.006, 0.01, 0.02), (0.0, 0.015, 0.03))):

        def noise(draw: np.random.Generator, pairs: int, runs: int, spread: float = spread) -> Array:
            return spread * math.sqrt(2) * draw.standard_normal((pairs, 2, runs))

        case = Case(noise=noise, rule=rule, change=change, blocks=500)
        way = 0 if change > rule.gate else 1
        taken = blocks_to_verdict(case, way, runs, (seed, 2, number))
        middle, most = (_blocks(value) for value in np.quantile(taken, (0.5, 0.95), method="higher"))
        print(
            f"| {spread:.1%} | {change:+.1%} | {('worse', 'not worse')[way]} | {middle} | {most} "
            f"| {np.isinf(taken).mean():.1%} |",
            flush=True,
        )


def _print_head(*names: str) -> None:
    print("|", " | ".join(names), "|")
    print("|---" * len(names) + "|")


def _blocks(count: float) -> str:
    return "none" if math.isinf(count) else f"{count:.0f}"


def _share(count: float, runs: int) -> str:
    return f"{count / runs:.3%} ≤ {most_likely(count, runs):.3%}"


def main() -> int:
    """Simulate, print the tables and return whether a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    print(f"{arguments.runs:,} runs, seed {arguments.seed}, numpy {np.__version__}\n")
    kept = show_validity(arguments.runs, arguments.seed)
    print()
    show_unpromised(max(arguments.runs // 10, 1), arguments.seed)
    print()
    show_power(max(arguments.runs // 50, 1), arguments.seed)
    print(f"\n{'kept' if kept else 'BROKEN'}, in {process_time():.0f} s of one CPU")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
