"""How often `aether-guard ab` is right, and after how long, on this machine: `hatch run guard:trials`.

Compares a bench with itself, slowed down by a known share, again and again with fresh workers, and counts the
verdicts. `benchmarks/hogs.py` before it makes the machine a busy one.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections import Counter
from random import Random

import msgspec

from aether_guard.ab.contest import Contested, contest
from aether_guard.ab.contestant import Match, commands, question_of, settings
from aether_guard.ab.duel import Duel
from aether_guard.ab.live import Quiet
from aether_guard.ab.measure import plan_terms
from aether_guard.ab.trial import Rule
from aether_harness.described import Wanted
from aether_harness.executable import CommandParams
from aether_schema import quantile

SLOWED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "slowed.py")
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
    wanted = Wanted(names=(f"{SLOWED}::slowed-{bench}",))
    texts = [f"slowed-{bench}.share={value}" for value in (0.0, share)]
    return settings(wanted, [texts[0]], [texts[1]])[0]


def main() -> None:
    """Compare as often as was asked, print, and keep a line a comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench", choices=("pack", "stream", "command"))
    parser.add_argument("--share", type=float, default=0.0, help="the slowdown, such as 0.05")
    parser.add_argument("--gate", type=float, default=0.02)
    parser.add_argument("--alpha", type=float, default=0.001)
    parser.add_argument("--max-time", type=float, default=60.0)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", help="JSON lines, one a comparison, appended")
    options = parser.parse_args()
    match = match_of(options.bench, options.share)
    terms = plan_terms((), 60.0)
    rule = Rule(gate=options.gate, alpha=options.alpha)
    done = []
    for number in range(options.runs):
        contested = Contested(question_of(match, rule))
        with Duel(match.bench_id, match.sides, terms, Random(f"{options.seed}/{number}")) as duel:  # noqa: S311
            contest([(contested, duel)], options.max_time, Quiet())
        if contested.problem:
            print(contested.problem, file=sys.stderr)
        done.append(line_of(contested))
        if options.out:
            with open(options.out, "ab") as file:
                file.write(msgspec.json.encode({**vars(options), **done[-1]}) + b"\n")
    print(told(options, done))


def line_of(contested: Contested) -> dict[str, float | str]:
    """Return what came of one comparison, with the spread of its pairs."""
    logs = sorted(pair.log_ratio for pair in contested.trial.pairs)
    middle = quantile(logs, 0.5)
    return {
        "verdict": contested.trial.verdict_at_end,
        "pairs": len(logs),
        "elapsed_s": contested.elapsed_s,
        "median": middle,
        "deviation": math.sqrt(sum((value - middle) ** 2 for value in logs) / len(logs)),
        "robust_deviation": 1.4826 * quantile([abs(value - middle) for value in logs], 0.5),
    }


def told(options: argparse.Namespace, done: list[dict[str, float | str]]) -> str:
    """Return the verdicts in counts, and the median of what they took beside Wald's bound."""
    distance = abs(math.log1p(options.gate) - math.log1p(options.share))
    medians = {key: quantile([float(item[key]) for item in done], 0.5) for key in done[0] if key != "verdict"}
    deviation = medians["robust_deviation"]
    bound = -math.log(options.alpha) / (distance**2 / (2 * deviation**2)) if distance else math.inf
    counts = dict(Counter(str(item["verdict"]) for item in done))
    return (
        f"{options.bench}, {options.share:+.1%} at a gate of {options.gate:.1%}: {counts}; medians: "
        f"{medians['pairs']:.0f} pairs, {medians['elapsed_s']:.2f} s, spread of a pair {deviation:.2%} "
        f"(Wald's bound for that: {bound:.0f} pairs)"
    )


if __name__ == "__main__":
    main()
