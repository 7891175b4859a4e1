"""Plays `aether-guard ab` many times where the answer is known: `hatch run guard:validity [--runs N] [--seed N]`.

First the promise: with the true change exactly at the gate, in noise of several shapes, which share of the runs
ever calls it worse, or not worse, however often one looks? It must not be more than alpha. Then the price: how
many pairs a verdict takes, against what tests would take that know the noise and the change: Wald's, which believes
in the noise as well, and the best of those that believe in nothing but the coin, as this one. The mathematics is that
of `aether_guard.ab`, on many runs at once; a test holds the two together. Ends with 1 where a promise is broken.
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

from aether_guard.ab.bet import MOST_STAKES, TAIL_STAKES
from aether_guard.ab.kin import lives_a_nest, weight_of_life
from aether_guard.ab.order import EXPECTED_PAIRS
from aether_guard.ab.score import GROWTH, LEAST_DISTANCE, MULTIPLES, SHARES, TAIL_LEARNING_PAIRS, TAIL_SHARES
from aether_guard.ab.spread import (
    EXPECTED_LIVES,
    EXPECTED_LUCK,
    EXPECTED_SPREAD,
    LEARNING_LIVES,
    LEARNING_REPEATS,
    LEAST_REACH,
    LEAST_VARIANCE,
    MEAN_TO_STANDARD,
    MEDIAN_TO_STANDARD,
    NORMAL_WITHIN,
    REACH,
    WINSORISED_AT,
)
from aether_guard.ab.trial import TAIL, Rule
from aether_guard.estimate import as_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Truths: TypeAlias = NDArray[np.bool_]
    Noise: TypeAlias = Callable[[np.random.Generator, int, int], Array]

SEED = 20260101
RUNS = 100_000
PAIRS = 300
#: So many pairs are played at once: enough runs for numpy to be quick, and less than 1 GB.
CHUNK = 4_000 * PAIRS
GATES = (0.0, 0.01, 0.02, 0.05)
ALPHAS = (0.01, 0.001)
#: What bets on forks allow for (docs/ab.md), and less and more of it.
SHARED_LUCK = 0.004
QUIET_SHARED_LUCK = 0.002
SHARED_LUCKS = (0.002, 0.003, SHARED_LUCK, 0.005)
#: The chance that a promise that is kept is called broken, over all of the table.
DOUBT = 0.01


# The noise of two moments a pair, as logarithms, of shape (pairs, 2, runs).


def gaussian(draw: np.random.Generator, pairs: int, runs: int) -> Array:
    """Return the friendliest noise there is."""
    return 0.02 * draw.standard_normal((pairs, 2, runs))


def quiet(draw: np.random.Generator, pairs: int, runs: int) -> Array:
    """Return the same of a quiet machine, beside which luck weighs more."""
    return 0.014 * draw.standard_normal((pairs, 2, runs))


def heavy(draw: np.random.Generator, pairs: int, runs: int) -> Array:
    """Return Student's t with 2 degrees of freedom, of infinite variance."""
    place = draw.random((pairs, 2, runs)) * (1 - 2e-12) + 1e-12
    return 0.02 * (2 * place - 1) / np.sqrt(2 * place * (1 - place))


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
    """Return noise in which whatever goes second takes 5 % longer."""
    return 0.01 * draw.standard_normal((pairs, 2, runs)) + np.array([0.0, 0.05])[:, None]


NOISES: tuple[Noise, ...] = (gaussian, heavy, spiky, drifting, bimodal, autocorrelated, second_slower)


class Case(Struct, frozen=True, kw_only=True):
    """What is played: versions that differ by `change`, in `noise`, in lives of so many pairs.

    `luck` is the standard deviation of what a process costs over another of the same code, as a logarithm, and
    `shared_luck` that of what the processes of one side have in common that are forked by the same one. With
    `lives_are_bets` a life is one bet, as it should be; else every pair is one, as if it had no luck in it. Of lives
    that are `forked`, and may have something in common, bets are the more careful.
    """

    noise: Noise
    rule: Rule
    change: float
    pairs: int = PAIRS
    life: int = 1
    luck: float = 0.0
    shared_luck: float = 0.0
    lives_are_bets: bool = True
    forked: bool = False

    @property
    def bet(self) -> int:
        """How many pairs are one bet."""
        return self.life if self.lives_are_bets else 1


def costs_of(draw: np.random.Generator, case: Case, runs: int) -> tuple[Array, Array, Truths]:
    """Return what the old and the new version cost, of shape (pairs, runs), and whether the new one came first.

    A cost is that of its moment and its process; the new version's is changed by `case.change` on top. The pairs of a
    bet have one order.
    """
    noise = case.noise(draw, case.pairs, runs)
    new_first = (draw.random((case.pairs // case.bet, runs)) < 0.5).repeat(case.bet, axis=0)
    old, new = np.where(new_first, noise[:, ::-1].swapaxes(0, 1), noise.swapaxes(0, 1))
    if case.luck:
        lucks = case.luck * draw.standard_normal((2, case.pairs // case.life, runs))
        old, new = (side + luck.repeat(case.life, axis=0) for side, luck in zip((old, new), lucks, strict=True))
    if case.shared_luck:
        together = case.life * lives_a_nest(case.life)
        lucks = case.shared_luck * draw.standard_normal((2, math.ceil(case.pairs / together), runs))
        old, new = (
            side + luck.repeat(together, axis=0)[: case.pairs] for side, luck in zip((old, new), lucks, strict=True)
        )
    return np.exp(old), np.exp(new + as_log(case.change, lower_is_better=case.rule.lower_is_better)), new_first


# The mathematics of `aether_guard.ab`, on many runs at once. Costs are of shape (lives, pairs a life, runs).


def learned(first: int, lives: int) -> Iterator[tuple[int, int]]:
    """Yield from which life on, and up to which, what was learned of the lives before it is used."""
    known_at = first
    while known_at < lives:
        until = min(math.ceil(known_at * GROWTH), lives)
        yield known_at, until
        known_at = until


def middles(lives: Array) -> Array:
    """Return the median of the means of all twos of a life's pairs, of shape (lives, runs)."""
    one, other = np.triu_indices(lives.shape[1])
    return np.median((lives[:, one] + lives[:, other]) / 2, axis=1)


def varying(lives: Array, noises: Array) -> tuple[Array, Array, Array]:
    """Return how far a pair counts, the share within that, and by what variance a score is expected to vary.

    They are learned of lives of shape (runs, lives, pairs a life) and of their noises, of shape (runs, lives).
    """
    runs, seen_lives, life = lives.shape
    usual = np.median(noises, axis=1, keepdims=True)
    noise = np.minimum(noises, WINSORISED_AT * usual).mean(axis=1) ** 2 if life > 1 else np.zeros(runs)
    pairs = lives.reshape(runs, -1)
    distances = pairs - np.median(pairs, axis=1, keepdims=True)
    usual_distance = np.median(np.abs(distances), axis=1)
    reach = np.maximum(REACH * np.maximum(MEDIAN_TO_STANDARD * usual_distance, np.sqrt(noise)), LEAST_REACH)
    within = (np.abs(distances) < reach[:, None]).mean(axis=1)
    bounded = np.clip(distances, -reach[:, None], reach[:, None]).reshape(lives.shape)
    scores = bounded.mean(axis=2) / within[:, None]
    deviations = np.abs(scores - np.median(scores, axis=1, keepdims=True))
    most = WINSORISED_AT * MEDIAN_TO_STANDARD * np.median(deviations, axis=1, keepdims=True)
    seen = (np.minimum(deviations, most) ** 2).sum(axis=1)
    weight = EXPECTED_LIVES if life > 1 else 0
    varied = (weight * (1 + EXPECTED_LUCK) * noise / life + seen) / (weight + seen_lives - 1)
    return reach, within, np.maximum(varied, LEAST_VARIANCE)


def order_cost(log_ratios: Array, new_first: Truths, reach: Array) -> Array:
    """Return what going second costs over going first in the pairs of some lives, of shape (runs,)."""
    bounded = np.clip(log_ratios, -reach, reach)
    pairs = new_first.shape[0] * new_first.shape[1]
    firsts = new_first.sum(axis=(0, 1))
    sums = (bounded * new_first).sum(axis=(0, 1))
    rest = bounded.sum(axis=(0, 1)) - sums
    difference = rest / np.maximum(pairs - firsts, 1) - sums / np.maximum(firsts, 1)
    known = (firsts > 0) & (firsts < pairs)
    return np.where(known, difference / 2 * pairs / (pairs + EXPECTED_PAIRS), 0.0)


def noises_of(lives: Array) -> Array:
    """Return the standard deviations within lives of shape (lives, pairs a life, runs)."""
    life = lives.shape[1]
    deviations = np.abs(lives - middles(lives)[:, None]).mean(axis=1)
    return MEAN_TO_STANDARD * deviations * math.sqrt(life / max(life - 1, 1))


def shift_bets(old: Array, new: Array, new_first: Truths, rule: Rule, bound: float) -> Iterator[Array]:
    """Yield what each bet gains by every life, of shape (bets, runs)."""
    log_ratios = np.log(new / old)
    lives, life, runs = log_ratios.shape
    levelled_by_run, noises_by_run = np.empty((runs, lives, life)), np.empty((runs, lives))
    to_gates = (as_log(way * rule.gate, lower_is_better=rule.lower_is_better) for way in (1, -1))
    distance = max(LEAST_DISTANCE, *map(abs, to_gates))
    multiples, most = (np.array(values)[:, None] for values in (MULTIPLES, MOST_STAKES))
    first = min(LEARNING_LIVES, math.ceil(LEARNING_REPEATS / (life - 1))) if life > 1 else LEARNING_LIVES
    untold = tuple(np.full(1, value) for value in (REACH * EXPECTED_SPREAD, NORMAL_WITHIN, EXPECTED_SPREAD**2))
    for start, end in ((0, 1), *learned(1, lives)):
        tells = start >= first
        reach, within, variance = varying(levelled_by_run[:, :start], noises_by_run[:, :start]) if tells else untold
        cost = order_cost(log_ratios[:start], new_first[:start], reach) if start else 0.0
        levelled = log_ratios[start:end] + np.where(new_first[start:end], cost, -cost)
        levelled_by_run[:, start:end], noises_by_run[:, start:end] = levelled.transpose(2, 0, 1), noises_of(levelled).T
        slopes = multiples * (distance / (variance * within))
        for score in np.clip(levelled - bound, -reach, reach).mean(axis=1):
            yield most * np.tanh(slopes / most * score)


def tail_bets(old: Array, new: Array, _: Truths, rule: Rule, bound: float) -> Iterator[Array]:
    """Yield the same for a tail."""
    lives, life, runs = old.shape
    by_run = np.ascontiguousarray(old.reshape(lives * life, runs).T)
    stakes = np.array(TAIL_STAKES)[:, None]
    for start, end in learned(math.ceil(TAIL_LEARNING_PAIRS / life), lives):
        threshold = np.quantile(by_run[:, : start * life], TAIL if rule.lower_is_better else 1 - TAIL, axis=1)
        for before, after in zip(old[start:end], new[start:end], strict=True):
            over = (np.log(after / threshold) > bound).sum(axis=0) - (before > threshold).sum(axis=0)
            yield stakes * np.sign(over)


def wealths(old: Array, new: Array, new_first: Truths, rule: Rule, *, forked: bool) -> Iterator[Array]:
    """Yield after every life bet on the wealths of `Trial.worse` and of `Trial.not_worse`, of shape (2, runs)."""
    bets, shares = (shift_bets, SHARES) if rule.quantile == "p50" else (tail_bets, TAIL_SHARES)
    parts = np.empty((2, len(shares), old.shape[-1]))
    parts[:] = np.array(shares)[:, None]
    weight = weight_of_life(old.shape[1], forked=forked)
    for gain in bets(old, new, new_first, rule, as_log(rule.gate, lower_is_better=rule.lower_is_better)):
        parts[0] *= (1 + gain) ** weight
        parts[1] *= (1 - gain) ** weight
        np.minimum(parts, 1e300, out=parts)
        yield parts.sum(axis=1)


def play(case: Case, runs: int, seed: Sequence[int]) -> Array:
    """Return how many of `runs` ever reached 1/alpha, of shape (2, alphas): called worse, and not worse."""
    draw = np.random.default_rng(seed)
    reached = np.zeros((2, len(ALPHAS)))
    chunk = max(CHUNK // case.pairs, 1)
    for start in range(0, runs, chunk):
        peaks = np.ones((2, min(chunk, runs - start)))
        for wealth in wealths(*_lives(draw, case, peaks.shape[1]), case.rule, forked=case.forked):
            np.maximum(peaks, wealth, out=peaks)
        reached += (peaks[:, None] * np.array(ALPHAS)[:, None] >= 1).sum(axis=-1)
    return reached


def pairs_to_verdict(case: Case, way: int, runs: int, seed: Sequence[int]) -> Array:
    """Return after how many pairs each run called the change worse (`way` 0) or not (1), infinite where it did not."""
    draw = np.random.default_rng(seed)
    old, new, new_first = _lives(draw, case, runs)
    taken = np.full(runs, np.inf)
    seen = list(wealths(old, new, new_first, case.rule, forked=case.forked))
    for life, wealth in zip(range(len(old), 0, -1), reversed(seen), strict=False):
        taken[wealth[way] * case.rule.alpha >= 1] = life * old.shape[1]
    return taken


def _lives(draw: np.random.Generator, case: Case, runs: int) -> tuple[Array, Array, Truths]:
    old, new, new_first = costs_of(draw, case, runs)
    shape = (-1, case.bet, runs)
    return old.reshape(shape), new.reshape(shape), new_first.reshape(shape)


# What chance explains.


def most_likely(count: float, runs: int) -> float:
    """Return the one-sided 95 % upper bound on the share behind `count` of `runs` (Clopper and Pearson 1934)."""
    low, high = count / runs, 1.0
    while high - low > 1e-7:
        middle = (low + high) / 2
        low, high = (middle, high) if 1 - chance_of(count + 1, runs, middle) > 0.05 else (low, middle)
    return high


def chance_of(count: float, runs: int, share: float) -> float:
    """Return the chance that `count` of `runs` or more do what each does with the chance `share`."""
    fewer = np.arange(count)
    if not len(fewer):
        return 1.0
    ways = np.concatenate([[0.0], np.cumsum(np.log((runs - fewer[:-1]) / (fewer[:-1] + 1)))])
    return 1 - float(np.exp(ways + fewer * math.log(share) + (runs - fewer) * math.log1p(-share)).sum())


# What is printed.


def validity_cases() -> Iterator[tuple[str, Case]]:
    """Yield what the promise is tried on, and what it is called: the true change is at the gate."""
    for quantile, noise, gate in product(("p50", "p95"), NOISES, GATES):
        rule = Rule(gate=gate, quantile=quantile)
        yield noise.__name__.replace("_", " "), Case(noise=noise, rule=rule, change=gate)
    for quantile, luck, life in product(("p50", "p95"), (0.005, 0.02), (3, 10)):
        rule = Rule(gate=0.02, quantile=quantile)
        case = Case(noise=gaussian, rule=rule, change=0.02, pairs=100 * life, life=life, luck=luck)
        yield f"luck {luck:.1%}, lives of {life}", case
    shares: tuple[tuple[Noise, float], ...] = ((gaussian, SHARED_LUCK), (quiet, QUIET_SHARED_LUCK))
    for (noise, shared), quantile, life in product(shares, ("p50", "p95"), (1, 3, 5)):
        case = kin_of(life, Rule(gate=0.02, quantile=quantile), shared, noise)
        yield f"{noise.__name__}, luck 0.5 %, {shared:.1%} shared, lives of {life}", case
    for quantile, noise, life in product(("p50", "p95"), (drifting, autocorrelated, second_slower), (3, 5)):
        case = Case(noise=noise, rule=Rule(gate=0.02, quantile=quantile), change=0.02, pairs=100 * life, life=life)
        yield f"{noise.__name__.replace('_', ' ')}, lives of {life}", case


def kin_of(life: int, rule: Rule, shared_luck: float, noise: Noise) -> Case:
    """Return lives of so many pairs that have so much in common, the true change at the gate."""
    return Case(
        noise=noise,
        rule=rule,
        change=rule.gate,
        pairs=100 * life,
        life=life,
        luck=0.005,
        shared_luck=shared_luck,
        forked=True,
    )


def show_validity(runs: int, seed: int) -> bool:
    """Print which share of the runs broke a promise, and return whether chance explains it everywhere."""
    print("| noise | quantile | gate | worse, 1 % | worse, 0.1 % | not worse, 1 % | not worse, 0.1 % |")
    print("|---|---|---|---|---|---|---|")
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


def show_luck(runs: int, seed: int) -> None:
    """Print what luck would do if every pair were a bet of its own."""
    print("| luck | pairs a life | change | worse than 2 %, every pair a bet | every life a bet |")
    print("|---|---|---|---|---|")
    for number, (luck, life, change) in enumerate(product((0.005, 0.01), (1, 3, 10), (0.0, 0.02))):
        shares = []
        for lives_are_bets in (False, True):
            case = Case(
                noise=gaussian,
                rule=Rule(gate=0.02),
                change=change,
                pairs=60 * life,
                life=life,
                luck=luck,
                lives_are_bets=lives_are_bets,
            )
            shares.append(_share(play(case, runs, (seed, 1, number))[0, -1], runs))
        print(f"| {luck:.1%} | {life} | {change:+.0%} |", " | ".join(shares), "|", flush=True)


def show_shared(runs: int, seed: int) -> None:
    """Print what it would do to the promise if forks had less in common, or more."""
    print("| noise | shared | pairs a life | worse, 1 % | worse, 0.1 % | not worse, 1 % | not worse, 0.1 % |")
    print("|---|---|---|---|---|---|---|")
    for number, (noise, shared, life) in enumerate(product((gaussian, quiet), SHARED_LUCKS, (1, 2, 3, 5))):
        reached = play(kin_of(life, Rule(gate=0.02), shared, noise), runs, (seed, 3, number))
        cells = [_share(count, runs) for count in reached.ravel()]
        print(f"| {noise.__name__} | {shared:.1%} | {life} |", " | ".join(cells), "|", flush=True)


def show_power(runs: int, seed: int) -> None:
    """Print how many pairs a verdict takes at a gate of 2 % and an alpha of 0.1 %, Wald's, and the coin's."""
    print("| spread of a pair | luck | pairs a life | change | verdict | Wald | coin | median | 9 of 10 | no verdict |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    rule = Rule(gate=0.02, alpha=0.001)
    for number, (spread, (luck, life), change) in enumerate(
        product((0.03, 0.05), ((0.0, 1), (0.0, 3), (0.005, 1), (0.005, 3), (0.005, 10)), (0.0, 0.05, 0.03))
    ):

        def noise(draw: np.random.Generator, pairs: int, runs: int, spread: float = spread) -> Array:
            return spread / math.sqrt(2) * draw.standard_normal((pairs, 2, runs))

        case = Case(noise=noise, rule=rule, change=change, pairs=2000 // life * life, life=life, luck=luck, forked=True)
        way = 0 if change > rule.gate else 1
        taken = pairs_to_verdict(case, way, runs, (seed, 2, number))
        # The other tests, too, have to wait for a life to end, and have its luck to deal with.
        distance = abs(math.log1p(change) - math.log1p(rule.gate)) / math.sqrt(spread**2 / life + 2 * luck**2)
        wald, coin = (-math.log(rule.alpha) / growth * life for growth in (distance**2 / 2, growth_by_coin(distance)))
        middle, most = (_pairs(value) for value in np.quantile(taken, (0.5, 0.9), method="higher"))
        print(
            f"| {spread:.0%} | {luck:.1%} | {life} | {change:+.0%} | {('worse', 'not worse')[way]} |",
            f"{wald:.0f} | {coin:.0f} | {middle} | {most} | {np.isinf(taken).mean():.1%} |",
            flush=True,
        )


def growth_by_coin(distance: float) -> float:
    """Return the most that a life adds on average to the logarithm of a wealth that believes in nothing but the coin.

    Of a figure x that is normal about `distance` standard deviations, against one that x and -x are as likely of: that
    is the mean of the logarithm of its likelihood over the mean of that and of -x's, which is 1 + tanh(x * distance).
    """
    places, weights = np.polynomial.hermite_e.hermegauss(100)
    gains = math.log(2) - np.logaddexp(0, -2 * (places + distance) * distance)
    return float(weights @ gains / weights.sum())


def _pairs(count: float) -> str:
    return "none" if math.isinf(count) else f"{count:.0f}"


def _share(count: float, runs: int) -> str:
    return f"{count / runs:.3%} ≤ {most_likely(count, runs):.3%}"


def main() -> int:
    """Play, print the tables and return whether a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    print(f"{arguments.runs:,} runs, seed {arguments.seed}, numpy {np.__version__}\n")
    kept = show_validity(arguments.runs, arguments.seed)
    print()
    show_luck(max(arguments.runs // 10, 1), arguments.seed)
    print()
    show_shared(max(arguments.runs // 5, 1), arguments.seed)
    print()
    show_power(max(arguments.runs // 50, 1), arguments.seed)
    print(f"\n{'kept' if kept else 'BROKEN'}, in {process_time():.0f} s of one CPU")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
