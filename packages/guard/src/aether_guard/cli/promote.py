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

#: More runs than these make no estimate better, and every one is a line of the committed file.
MAX_RUNS = 100

EXAMPLE = """example:
  aether-guard promote packaging --reason 'level 9 is worth its time'
  aether-guard promote --improved
  aether-guard promote --runs 5 --current target/run-* --reason 'five runs'
    the baseline then shows by how much unchanged code differs from run to run;
    later, `promote --runs 5` adds the current run and keeps the last five

exit status: 0 written; 2 a file is missing or invalid, and nothing was written
"""


def register(commands: Commands[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    about = "make current figures the baseline"
    parser = add_command(commands, "promote", about, EXAMPLE, run)
    parser.add_argument("benches", nargs="*", metavar="BENCH", help="a bench_id; all that have a current file")
    parser.add_argument("--reason", metavar="TEXT", help="why; kept in the baseline's notes")
    parser.add_argument(
        "--improved", action="store_true", help="only those whose samples show that they were beaten: a ratchet"
    )
    parser.add_argument(
        "--runs",
        type=_count,
        default=1,
        metavar="K",
        help="keep the last K runs of the same code, those in --current and those of the baseline; 1",
    )
    add_input_options(parser)


def run(options: argparse.Namespace) -> int:
    """Write the current figures over the baselines and say what changed."""
    from aether_guard.check.promote import improved_benches, plan_promotions, write_promotions

    config = find_config(".")
    baseline, current = options.baseline or config.baseline, options.current or config.current
    benches, reason = options.benches, options.reason
    if options.improved and options.runs > 1:
        raise GuardError("--improved starts a new baseline, without the runs of slower code: omit --runs")
    if options.improved:
        sides = InputPaths(baseline=tuple(baseline), current=tuple(current))
        judgements = judge_sides(sides, config.book, datetime.now(UTC).date())
        benches = [bench_id for bench_id in improved_benches(judgements) if not benches or bench_id in benches]
        reason = reason or "beaten with evidence"
        if not benches:
            print("no baseline was beaten with evidence; nothing was written")
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
    """Return how many runs to keep."""
    if not text.isdecimal() or not 1 <= int(text) <= MAX_RUNS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of runs from 1 to {MAX_RUNS}")
    return int(text)
