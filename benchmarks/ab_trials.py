"""How often `aether-guard ab` is right, and after how long, on this machine: `hatch run guard:trials`.

Compares a bench with itself, slowed down by a known share, again and again with fresh workers, and counts the
verdicts. `benchmarks/hogs.py` before it makes the machine a busy one. A long series may be broken off at any time and
goes on from its file:

    hatch run guard:trials pack --runs 500 --out aa.jsonl
    hatch run guard:python benchmarks/hogs.py python benchmarks/ab_trials.py pack --runs 500 --label hogs --out aa.jsonl
    hatch run guard:trials totals --out aa.jsonl
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections import Counter
from contextlib import suppress
from itertools import groupby
from operator import attrgetter
from random import Random
from statistics import pstdev
from time import monotonic
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from aether_guard.ab.contest import Contested, contest
from aether_guard.ab.contestant import commands, question_of, settings
from aether_guard.ab.live import Quiet
from aether_guard.ab.measure import duel_of, on_their_cpu, plan_terms
from aether_guard.ab.order import Orders
from aether_guard.ab.spread import MEDIAN_TO_STANDARD, UNTOLD, middle
from aether_guard.ab.trial import Rule
from aether_harness.described import Wanted
from aether_harness.executable import CommandParams
from aether_harness.interrupt import ended_on_request
from aether_schema import quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from aether_guard.ab.terms import Match

FOLDER = os.path.dirname(os.path.abspath(__file__))
#: A command of about 50 ms in which the share is more work, not a longer sleep.
SPIN = "import time; ends = time.perf_counter() + {seconds}\nwhile time.perf_counter() < ends: pass"


def match_of(bench: str, share: float) -> Match:
    """Return the bench against itself slowed down by `share`."""
    if bench == "command":
        both = [
            CommandParams(command=f"{sys.executable} -S -c '{SPIN.format(seconds=seconds)}'")
            for seconds in (0.04, 0.04 + 0.05 * share)
        ]
        return commands(both[0], both[1])[0]
    wanted = Wanted(names=(f"{os.path.join(FOLDER, f'slowed_{bench}.py')}::slowed-{bench}",))
    texts = [f"slowed-{bench}.share={value}" for value in (0.0, share)]
    return settings(wanted, [texts[0]], [texts[1]])[0]


class Done(Struct, frozen=True, kw_only=True):
    """One comparison: what was asked, and what came of it. Spreads are standard deviations of logarithms.

    `spread` is that of a pair among all, and `life_spread` that of a life's middle, which has the luck in it; both are
    told by medians, as single figures may be anything, and what the order in a pair costs is left out. `deviation` is
    that of a pair as it is defined, with all that is far off.
    """

    bench: str
    share: float
    gate: float
    alpha: float
    seed: int
    number: int
    verdict: str
    pairs: int
    lives: int
    elapsed_s: float
    median: float
    spread: float
    life_spread: float
    deviation: float
    label: str = ""

    @property
    def is_false(self) -> bool:
        """Whether a change within the gate was called a regression."""
        return self.verdict == "regression" and self.share <= self.gate

    @property
    def wald(self) -> float:
        """The pairs that Wald's test takes on average, told a pair's spread and the change beforehand, without luck."""
        return self._wald(self.spread**2)

    @property
    def wald_of_all(self) -> float:
        """The same where what is far off is noise too, as it is to a test that takes noise for normal."""
        return self._wald(self.deviation**2)

    @property
    def wald_with_luck(self) -> float:
        """The same in lives as long as these, which have their luck in them."""
        return self._wald(self.life_spread**2 * self.pairs / max(self.lives, 1))

    def _wald(self, variance: float) -> float:
        distance = abs(math.log1p(self.gate) - math.log1p(self.share))
        return -math.log(self.alpha) * 2 * variance / distance**2 if distance else math.inf


def main() -> None:
    """Compare as often as was asked, keep a line a comparison, and print what all of them come to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench", choices=("pack", "stream", "command", "totals"), help="totals: of --out, and no more")
    parser.add_argument("--share", type=float, default=0.0, help="the slowdown, such as 0.05")
    parser.add_argument("--gate", type=float, default=0.02)
    parser.add_argument("--alpha", type=float, default=0.001)
    parser.add_argument("--max-time", type=float, default=60.0, help="seconds a comparison")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--for", type=float, default=math.inf, dest="seconds", help="begin none after so many seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", help="JSON lines, one a comparison; appended to, and counted on from there")
    parser.add_argument("--label", default="", help="what to tell this series from others by, such as hogs")
    options = parser.parse_args()
    done = _kept(options.out) if options.out else []
    if options.bench != "totals":
        numbers = {item.number for item in done if _asked(item) == _asked(options) and item.seed == options.seed}
        start = max(numbers, default=-1) + 1
        with ended_on_request(), suppress(KeyboardInterrupt):
            for item in _compared(options, range(start, start + options.runs)):
                done.append(item)
                if options.out:
                    with open(options.out, "ab") as file:
                        file.write(msgspec.json.encode(item) + b"\n")
    print(told(done))


def _kept(path: str) -> list[Done]:
    """Return the comparisons in a file; what the last one left unfinished when it was broken off is cut off."""
    if not os.path.exists(path):
        return []
    with open(path, "rb+") as file:
        text = file.read()
        whole = text.rfind(b"\n") + 1
        file.truncate(whole)
    return msgspec.json.Decoder(Done).decode_lines(text[:whole])


def _asked(item: Done | argparse.Namespace) -> tuple[str, str, float, float, float]:
    return item.bench, item.label, item.share, item.gate, item.alpha


def _compared(options: argparse.Namespace, numbers: Iterable[int]) -> Iterable[Done]:
    """Yield what came of each comparison, with fresh workers for every one."""
    match = match_of(options.bench, options.share)
    terms = plan_terms((), 60.0)
    rule = Rule(gate=options.gate, alpha=options.alpha)
    ends = monotonic() + options.seconds
    for number in numbers:
        if monotonic() >= ends:
            return
        contested = Contested(question_of(match, rule))
        draw = Random(f"{options.seed}/{number}")  # noqa: S311
        with duel_of(contested, match, terms, draw) as duel, on_their_cpu(terms):
            contest([(contested, duel)], options.max_time, Quiet())
        if contested.problem:
            print(contested.problem, file=sys.stderr)
        if contested.drawn:
            yield done_of(contested, options, number)


def done_of(contested: Contested, options: argparse.Namespace, number: int) -> Done:
    """Return what came of one comparison."""
    orders = Orders()
    drawn_lives = [[*map(contested.costs_of, group)] for _, group in groupby(contested.drawn, key=attrgetter("life"))]
    for life in drawn_lives:
        orders.add(life)
    orders.look_up(UNTOLD.reach)
    lives = [orders.log_ratios(life) for life in drawn_lives]
    logs = [log_ratio for life in lives for log_ratio in life]
    return Done(
        bench=options.bench,
        share=options.share,
        gate=options.gate,
        alpha=options.alpha,
        seed=options.seed,
        number=number,
        verdict=contested.trial.verdict_at_end if contested.problem is None else "error",
        pairs=len(logs),
        lives=len(lives),
        elapsed_s=contested.elapsed_s,
        median=quantile(logs, 0.5),
        spread=spread_of(logs),
        life_spread=spread_of([middle(life) for life in lives]),
        deviation=pstdev(logs),
        label=options.label,
    )


def spread_of(values: Sequence[float]) -> float:
    """Return the standard deviation that a normal distribution with their median absolute deviation has."""
    centre = quantile(values, 0.5)
    return MEDIAN_TO_STANDARD * quantile([abs(value - centre) for value in values], 0.5)


def told(done: Sequence[Done]) -> str:
    """Return a line for each thing asked: the verdicts in counts, and medians of what they took beside Wald's bound."""
    lines = []
    for asked in dict.fromkeys(map(_asked, done)):
        bench, label, share, gate, alpha = asked
        items = [item for item in done if _asked(item) == asked]

        def median(figure: Callable[[Done], float], items: Sequence[Done] = items) -> float:
            return quantile([figure(item) for item in items], 0.5)

        lines.append(
            f"{bench}{f' ({label})' if label else ''}, {share:+.1%} at a gate of {gate:.1%}, alpha {alpha:g}: "
            f"{len(items)} comparisons, {sum(item.is_false for item in items)} false regressions, "
            f"{dict(Counter(item.verdict for item in items))}; medians: "
            f"{median(lambda item: item.pairs):.0f} pairs in {median(lambda item: item.lives):.0f} lives, "
            f"{median(lambda item: item.elapsed_s):.2f} s "
            f"(9 of 10 within {quantile([item.elapsed_s for item in items], 0.9):.2f} s), "
            f"spread of a pair {median(lambda item: item.spread):.2%} (standard deviation "
            f"{median(lambda item: item.deviation):.2%}), of a life "
            f"{median(lambda item: item.life_spread):.2%}; Wald's bound {median(lambda item: item.wald):.0f} pairs "
            f"({median(lambda item: item.pairs / item.wald):.2f} times), by the standard deviation "
            f"{median(lambda item: item.wald_of_all):.0f} "
            f"({median(lambda item: item.pairs / item.wald_of_all):.2f} times), with luck "
            f"{median(lambda item: item.wald_with_luck):.0f} "
            f"({median(lambda item: item.pairs / item.wald_with_luck):.2f} times)"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
