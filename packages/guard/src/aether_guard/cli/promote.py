"""`aether-guard promote`."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from aether_guard.check.pairing import InputPaths, judge_sides
from aether_guard.check.verdict import EXIT_PASS
from aether_guard.cli.options import Commands, add_command, add_input_options
from aether_guard.config import find_config
from aether_guard.errors import GuardError
from aether_guard.report.format import described_figures
from aether_schema import printable

#: More runs do not improve the estimate, and each is a line of the committed file.
MAX_RUNS = 100

EXAMPLE = """example:
  aether-guard promote packaging --reason 'level 9 is worth its time'
  aether-guard promote --improved
  aether-guard promote --runs 5 --current target/run-* --reason 'five runs'
    record how much unchanged code varies from run to run; later,
    `promote --runs 5` adds the current run and keeps the last five

exit status: 0 written; 2 a file is missing or invalid, and nothing was written
"""


def register(commands: Commands[argparse.ArgumentParser]) -> None:
    """Register the command."""
    about = "accept current summaries as baselines"
    parser = add_command(commands, "promote", about, EXAMPLE, run)
    parser.add_argument(
        "benches", nargs="*", metavar="BENCH", help="a bench_id [default: every bench with a current file]"
    )
    parser.add_argument("--reason", metavar="TEXT", help="reason, kept in the notes of the baseline")
    parser.add_argument(
        "--improved", action="store_true", help="promote only benches whose samples show an improvement"
    )
    parser.add_argument(
        "--runs",
        type=_count,
        default=1,
        metavar="K",
        help="keep the last K runs of the same code, from --current and the baseline [default: 1]",
    )
    add_input_options(parser)


def run(options: argparse.Namespace) -> int:
    """Replace baselines by the current summaries and print the changes."""
    from aether_guard.check.promote import improved_benches, plan_promotions, write_promotions

    config = find_config(".")
    baseline, current = options.baseline or config.baseline, options.current or config.current
    benches, reason = options.benches, options.reason
    if options.improved and options.runs > 1:
        raise GuardError("--improved starts a new baseline without runs of slower code: omit --runs")
    if options.improved:
        sides = InputPaths(baseline=tuple(baseline), current=tuple(current))
        judgements = judge_sides(sides, config.book, datetime.now(UTC).date())
        benches = [bench_id for bench_id in improved_benches(judgements) if not benches or bench_id in benches]
        reason = reason or "significant improvement"
        if not benches:
            print("no bench improved significantly; nothing was written")
            return EXIT_PASS
    promotions = plan_promotions(baseline, current, benches, reason or "", options.runs)
    write_promotions(promotions)
    for promotion in promotions:
        new, old = promotion.summary, promotion.replaced
        before = "none" if old is None else described_figures(old)
        runs = f" ({len(new.runs)} runs)" if new.runs else ""
        print(printable(f"{new.bench_id}: {before} -> {described_figures(new)}: {promotion.path}{runs}"))
    return EXIT_PASS


def _count(text: str) -> int:
    """Parse the number of runs for argparse."""
    if not text.isdecimal() or not 1 <= int(text) <= MAX_RUNS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {MAX_RUNS}")
    return int(text)
