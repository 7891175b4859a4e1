"""Chooses the constants of the guard's interval on each recording in turn, and judges the choice on the others.

`hatch run guard:cross-validation RECORDING…`, with recordings of unchanged code (`aether-bench noise`). A candidate is
a pair: the uncertain part of a correction by the reference, and the factor of the variance of a run's mean over the
variance that its rounds show, because the rounds of a run share their hour. On each recording the candidate is chosen
whose 90 % intervals cover an unchanged truth in nearly 90 % of the pairs. The shares printed are of every ordered pair
of runs.
"""

from __future__ import annotations

import argparse
import math
import os
from datetime import UTC, datetime
from itertools import permutations
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from aether_guard.check.aa_study import verdict_when_slowed
from aether_guard.check.estimate import estimate
from aether_guard.check.judge import assess
from aether_guard.check.policy import Policy
from aether_guard.check.recordings import read_recording
from aether_guard.check.reference import CORRECTION_UNCERTAINTY, correction_std_error
from aether_schema import PROBABILITY

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aether_guard.check.assessment import Assessment
    from aether_schema import Summary

LEVEL = 0.05
PROMISED = 0.9
#: The policies asked, each with the slowdowns it is to find.
QUESTIONS = ((Policy(quantile="p95", gate=0.2), (0.3, 0.4)), (Policy(quantile="p50", gate=0.05), (0.1,)))


class Candidate(NamedTuple):
    """A rule to try: the uncertain part of a correction, and the factor on the variance between rounds."""

    part: float
    factor: float


IN_FORCE = Candidate(CORRECTION_UNCERTAINTY, 1.0)
CANDIDATES = tuple(Candidate(part, factor) for factor in (1.0, 1.25, 1.5) for part in (1 / 8, 1 / 6, 1 / 4, 1 / 3))


class Result(NamedTuple):
    """Shares of pairs: covered by the interval, then a verdict each for unchanged code and every slowdown."""

    coverage: float
    regressions: tuple[float, ...]
    inconclusive: float


class Pair(NamedTuple):
    """The assessment of a pair, with the standard errors from its rounds alone, and its correction by the reference.

    The errors are of the figures as they came and by the ruler, the correction in logarithms.
    """

    known: Assessment
    raw_error: float
    ruled_error: float
    correction: float


def read_pairs(runs: Sequence[Summary], policy: Policy) -> list[Pair]:
    """Return every ordered pair that can be compared, with samples and the same reference on both sides."""
    today = datetime.now(UTC).date()
    pairs = []
    for sides in permutations(runs, 2):
        known = assess(*sides, policy, today)
        raw, ruled = (estimate(*sides, policy.quantile, normalized=by_ruler) for by_ruler in (False, True))
        if known.normalized is not None and raw is not None and ruled is not None:
            moved = correction_std_error(*sides, PROBABILITY[policy.quantile]) / CORRECTION_UNCERTAINTY
            pairs.append(Pair(known, raw.std_error, ruled.std_error, moved))
    return pairs


def under(candidate: Candidate, pair: Pair) -> Assessment:
    """Return the assessment of the pair under the candidate."""
    known, more = pair.known, math.sqrt(candidate.factor)
    assert known.raw is not None
    assert known.normalized is not None
    return replace(
        known,
        raw=replace(known.raw, std_error=pair.raw_error * more),
        normalized=replace(
            known.normalized, std_error=math.hypot(pair.ruled_error * more, candidate.part * pair.correction)
        ),
    )


def measure(pairs: Sequence[Pair], candidate: Candidate, slowdowns: Iterable[float]) -> Result:
    """Return the error rates of the candidate on the pairs."""
    judged = [under(candidate, pair) for pair in pairs]
    bounds = [known.decisive.interval for known in judged if known.decisive is not None]
    verdicts = [
        [verdict_when_slowed(known, known.gate, slowdown, LEVEL) for known in judged] for slowdown in (0.0, *slowdowns)
    ]
    return Result(
        coverage=sum(low <= 0 <= high for low, high in bounds) / len(bounds),
        regressions=tuple(column.count("regression") / len(column) for column in verdicts),
        inconclusive=verdicts[0].count("inconclusive") / len(verdicts[0]),
    )


def describe(candidate: Candidate, result: Result) -> str:
    """Return a line of the table, in percent."""
    found = " ".join(f"{share * 100:7.2f}" for share in result.regressions[1:])
    shares = f"{result.coverage * 100:7.1f} {result.regressions[0] * 100:7.2f} {result.inconclusive * 100:7.2f} {found}"
    mark = "  in force" if candidate == IN_FORCE else ""
    return f"  1/{1 / candidate.part:<4.3g} {candidate.factor:5.2f} {shares}{mark}"


def main() -> None:
    """Print a table per policy and recording, and the choice on each."""
    parser = argparse.ArgumentParser(description="Cross-validates the constants of the guard's interval.")
    parser.add_argument("recordings", nargs="+", metavar="RECORDING", help="JSON lines of aether-bench noise")
    recordings = {os.path.basename(path): read_recording(path) for path in parser.parse_args().recordings}
    for policy, slowdowns in QUESTIONS:
        results: dict[str, dict[Candidate, Result]] = {}
        for name, runs in recordings.items():
            if not (pairs := read_pairs(runs, policy)):
                parser.error(f"{name}: no two runs carry samples and the same ruler")
            results[name] = {candidate: measure(pairs, candidate, slowdowns) for candidate in CANDIDATES}
            print(f"{name}: {policy.quantile}, gate {policy.gate:.0%}, {len(pairs)} ordered pairs")
            finds = " ".join(f"{f'x{1 + slowdown:g}':>7}" for slowdown in slowdowns)
            print(f"  part  factor  cover   false   open {finds}")
            print("\n".join(describe(*row) for row in results[name].items()))
        for name, found in results.items():
            chosen = min(found, key=lambda candidate: abs(found[candidate].coverage - PROMISED))
            print(f"chosen on {name}, judged on the others, {policy.quantile}:")
            for other in results:
                if other != name:
                    print(f"{describe(chosen, results[other][chosen])}  {other}")
        print()


if __name__ == "__main__":
    main()
