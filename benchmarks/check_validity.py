"""Simulates how often `check` fails builds of unchanged code whose runs differ: `hatch run guard:check-validity`.

A series is a bench or a figure of one. Each has a run of five rounds on the current side and one or five such runs in
the baseline. The logarithm of a round is the sum of a run effect and a round effect, both normal, or with `heavy` a run
effect of Student's t with 3 degrees of freedom. A build of many series is red if any of them is called a regression.
The rule is the guard's own (Holm's procedure on the p-values of `aether_guard.check.estimate`). Its arithmetic is
repeated here on arrays and compared with the guard's at the start.
"""

from __future__ import annotations

import argparse
import math
import sys
from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from msgspec.structs import replace

from aether_guard.check.aa_study import verdict_when_slowed
from aether_guard.check.baseline_runs import keep_runs
from aether_guard.check.estimate import ONE_SIDED, estimate
from aether_guard.check.files import LoadedSummary
from aether_guard.check.judge import NULL_GATE_FRACTION, assess, holm_rejections
from aether_guard.check.policy import Policy
from aether_guard.check.recordings import read_recording
from aether_guard.stats.t_distribution import t_ppf, t_sf
from aether_schema import Summary, quantile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Truths: TypeAlias = NDArray[np.bool_]

SEED = 20260101
LEVEL = 0.05
ROUNDS = 5
ROUND_EFFECT = 0.02
RUN_EFFECTS = (0.0, 0.01, 0.02, 0.05)
SERIES = (1, 10, 100, 1000)
#: How many series are drawn for a cell of the table, and how many of them at once.
DRAWN, AT_ONCE = 4_000_000, 1_000_000
MOST_BUILDS = 200_000
#: Critical values are interpolated between degrees of freedom this far apart.
STEP = 0.01
#: How many baselines are made of a recording.
SIXES = 1_000


class Estimates(NamedTuple):
    """The log changes, standard errors and degrees of freedom of many series, as `Estimate` holds them."""

    centre: Array
    error: Array
    freedom: Array


class World(NamedTuple):
    """The simulated runs: their standard deviation in logarithms, how many the baseline keeps, the true worsening."""

    run_effect: float
    runs: int
    worse: float = 0.0
    heavy: bool = False


def draw(world: World, shape: tuple[int, ...], random: np.random.Generator) -> Estimates:
    """Draw the estimates of an array of series."""
    size = (world.runs + 1, *shape)
    effects = random.standard_t(3, size) / math.sqrt(3) if world.heavy else random.standard_normal(size)
    # The mean and the variance of normal rounds are independent, so they are drawn in place of the rounds.
    levels = world.run_effect * effects + ROUND_EFFECT / math.sqrt(ROUNDS) * random.standard_normal(size)
    within = ROUND_EFFECT**2 / ROUNDS * random.chisquare(ROUNDS - 1, (2, *shape)) / (ROUNDS - 1)
    levels[-1] += math.log1p(world.worse)
    return combine(levels, within[0], within[1])


def combine(levels: Array, before: Array, after: Array) -> Estimates:
    """Return the estimates from the level of every run, the current one last, and the variances within the last two."""
    runs, freedom = len(levels) - 1, ROUNDS - 1.0
    centre = levels[-1] - levels[:-1].mean(axis=0)
    first, first_freedom, second = before, freedom, after
    if runs > 1:
        first, first_freedom = levels[:-1].var(axis=0, ddof=1) * (1 + 1 / runs), runs - 1.0
        second = np.maximum(0.0, after - before)
    welch = (first + second) ** 2 / (first**2 / first_freedom + second**2 / freedom)
    return Estimates(centre, np.sqrt(first + second), np.minimum(welch, first_freedom) if runs > 1 else welch)


def compare_with_the_guard(random: np.random.Generator) -> None:
    """Stop unless the arithmetic above agrees with the guard's on the same rounds."""
    for runs in (1, 2, 5):
        rounds = 0.05 * random.standard_normal((runs + 1, 1, 1)) + 0.02 * random.standard_normal((runs + 1, ROUNDS, 1))
        *earlier, current = [_summary(np.exp(values), day) for day, values in enumerate(rounds, start=1)]
        baseline = keep_runs([LoadedSummary("run", summary) for summary in earlier], None, runs)
        found = estimate(baseline, current, "p50", normalized=False)
        assert found is not None
        levels, variances = rounds.mean(axis=1), rounds.var(axis=1, ddof=1) / ROUNDS
        ours = [float(value[0]) for value in combine(levels, variances[-2], variances[-1])]
        assert np.allclose(ours, [found.log_change, found.std_error, found.dof], rtol=1e-6), (ours, found)


def _summary(rounds: Array, day: int) -> Summary:
    flat = [float(value) for value in rounds.ravel()]
    return Summary(
        bench_id="simulated",
        metric="duration_ms",
        unit="ms",
        p50=quantile(flat, 0.5),
        p95=quantile(flat, 0.95),
        n=len(flat),
        timestamp=f"2026-01-{day:02}",
        samples=tuple((value,) for value in flat),
    )


def critical(chance: float, freedom: Array) -> Array:
    """Return the values that t variables exceed with `chance`."""
    grid = np.arange(1.0, 2 * (ROUNDS - 1) + 2 * STEP, STEP)
    values = [t_ppf(1 - chance, float(point)) for point in grid]
    return np.interp(freedom, grid, values)


def red(found: Estimates, gate: float) -> Truths:
    """Return which builds, a row each, hold a series that is called a regression."""
    count = found.centre.shape[1]
    t = (found.centre - math.log1p(gate * NULL_GATE_FRACTION)) / found.error
    beyond = found.centre > math.log1p(gate)
    first = t > critical(LEVEL / count, found.freedom)
    builds = (first & beyond).any(axis=1)
    # If every series that Holm's first step rejects is within the gate, its later steps may reject more.
    for build in np.flatnonzero(first.any(axis=1) & ~builds):
        suspects = np.flatnonzero(t[build] > 1)
        chances = dict.fromkeys(range(count), 1.0)
        chances |= {int(i): t_sf(float(t[build, i]), float(found.freedom[build, i])) for i in suspects}
        builds[build] = any(beyond[build, index] for index in holm_rejections(chances, LEVEL))
    return builds


def red_share(world: World, gate: float, count: int, random: np.random.Generator) -> float:
    """Return the share of red builds."""
    builds = min(MOST_BUILDS, DRAWN // count)
    at_once = max(1, min(builds, AT_ONCE // count))
    shares = [red(draw(world, (at_once, count), random), gate).mean() for _ in range(builds // at_once)]
    return float(np.mean(shares))


def coverage(world: World, random: np.random.Generator) -> float:
    """Return how often the interval holds the truth."""
    found = draw(world, (AT_ONCE,), random)
    reach = critical(1 - ONE_SIDED, found.freedom) * found.error
    return float((np.abs(found.centre - math.log1p(world.worse)) <= reach).mean())


def power(world: World, gate: float, count: int, random: np.random.Generator) -> float:
    """Return how often the only worse series of a build is called a regression by Holm's first step."""
    found = draw(world, (AT_ONCE // 4,), random)
    t = (found.centre - math.log1p(gate * NULL_GATE_FRACTION)) / found.error
    return float(((t > critical(LEVEL / count, found.freedom)) & (found.centre > math.log1p(gate))).mean())


def print_table(title: str, cells: dict[str, list[float]], heads: Iterable[str]) -> None:
    """Print a table in percent, as the pages have it."""
    columns = list(heads)
    print(f"\n{title}\n\n| run effect | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for name, values in cells.items():
        print(f"| {name} | {' | '.join(f'{value * 100:.2f} %' for value in values)} |")


def print_red_builds(random: np.random.Generator) -> bool:
    """Print the shares of red builds, and return whether they keep the level with five runs of normal effects."""
    kept = True
    for gate, runs, heavy in product((0.05, 0.0), (5, 1), (False, True)):
        cells = {}
        for effect in RUN_EFFECTS[heavy:]:
            world = World(effect, runs, heavy=heavy)
            cells[f"{effect:.0%}"] = shares = [red_share(world, gate, count, random) for count in SERIES]
            for count, share in zip(SERIES, shares, strict=True):
                margin = 3 * math.sqrt(LEVEL / min(MOST_BUILDS, DRAWN // count))
                kept = kept and (heavy or runs == 1 or share <= LEVEL + margin)
        tails = "heavy tails" if heavy else "normal"
        title = f"Red builds of unchanged code, gate {gate:.0%}, baseline runs: {runs}, run effects: {tails}"
        print_table(title, cells, (f"{count:,} series" for count in SERIES))
    return kept


def print_coverage(random: np.random.Generator) -> None:
    """Print how often the interval holds the truth."""
    counts = (1, 2, 3, 5, 10)
    cells = {f"{effect:.0%}": [coverage(World(effect, runs), random) for runs in counts] for effect in RUN_EFFECTS}
    print_table("The 90 % interval covers", cells, (f"baseline runs: {runs}" for runs in counts))


def print_power(random: np.random.Generator) -> None:
    """Print how often one series that got worse is found among others that did not."""
    for (gate, worse), runs in product(((0.2, 0.3), (0.05, 0.1)), (5, 10)):
        cells = {}
        for effect in RUN_EFFECTS:
            world = World(effect, runs, worse)
            cells[f"{effect:.0%}"] = [power(world, gate, count, random) for count in SERIES]
        heads = (f"{count:,} series" for count in SERIES)
        print_table(f"Found of +{worse:.0%}, gate {gate:.0%}, baseline runs: {runs}", cells, heads)


def print_recording(path: str, random: np.random.Generator) -> None:
    """Print the verdicts on recorded runs, six at a time: five in the baseline, and the current one."""
    runs = [replace(run, timestamp=f"2026-01-01T00:00:00.{place:06}") for place, run in enumerate(read_recording(path))]
    today = datetime.now(UTC).date()
    for policy, slowdowns in ((Policy(), (0.0, 0.3, 0.4)), (Policy(quantile="p50", gate=0.05), (0.0, 0.1))):
        known = []
        for _ in range(SIXES):
            *earlier, current = (runs[place] for place in random.choice(len(runs), 6, replace=False))
            baseline = keep_runs([LoadedSummary("run", run) for run in earlier], None, len(earlier))
            known.append(assess(baseline, current, policy, today))
        bounds = [item.deciding.interval for item in known if item.deciding is not None]
        covered = sum(low <= 0 <= high for low, high in bounds) / len(bounds)
        print(f"\n{path}: {policy.quantile}, gate {policy.gate:.0%}; the interval covers {covered:.1%}")
        for slowdown in slowdowns:
            verdicts = [verdict_when_slowed(item, policy.gate, slowdown, LEVEL) for item in known]
            shares = (f"{verdicts.count(verdict) / SIXES:.1%} {verdict}" for verdict in ("regression", "inconclusive"))
            print(f"  slowed by {slowdown:.0%}: {', '.join(shares)}")


def main() -> int:
    """Print the tables; 1 where a promise is broken."""
    parser = argparse.ArgumentParser(description="Simulates the build-wide error of check.")
    parser.add_argument("recordings", nargs="*", metavar="RECORDING", help="JSON lines of aether-bench noise, as well")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    compare_with_the_guard(random)
    kept = print_red_builds(random)
    print_coverage(random)
    print_power(random)
    for path in options.recordings:
        print_recording(path, random)
    print(f"\nthe level is {'kept' if kept else 'BROKEN'} with five runs of normal effects")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
