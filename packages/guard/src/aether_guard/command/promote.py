"""`aether-guard promote`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aether_guard.command.form import Commands, add_command, add_sides
from aether_guard.config import find_config
from aether_guard.figure import described_figures
from aether_guard.pairing import Sides, judge_sides
from aether_guard.verdict import EXIT_PASS
from aether_schema import printable

if TYPE_CHECKING:
    import argparse

EXAMPLE = """example:
  aether-guard promote packaging --reason 'level 9 is worth its time'
  aether-guard promote --improved

exit status: 0 written; 2 a file is missing or invalid, and nothing was written
"""


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    about = "make current figures the baseline"
    parser = add_command(commands, "promote", about, EXAMPLE, execute)
    parser.add_argument("benches", nargs="*", metavar="BENCH", help="a bench_id; all that have a current file")
    parser.add_argument("--reason", metavar="TEXT", help="why; kept in the baseline's notes")
    parser.add_argument(
        "--improved", action="store_true", help="only those whose samples show that they were beaten: a ratchet"
    )
    add_sides(parser)


def execute(options: argparse.Namespace) -> int:
    """Write the current figures over the baselines and say what changed."""
    from aether_guard.promote import beaten, plan_promotions, write_promotions

    config = find_config(".")
    baseline, current = options.baseline or config.baseline, options.current or config.current
    benches, reason = options.benches, options.reason
    if options.improved:
        sides = Sides(baseline=tuple(baseline), current=tuple(current))
        judgements = judge_sides(sides, config.book, datetime.now(UTC).date())
        benches = [bench_id for bench_id in beaten(judgements) if not benches or bench_id in benches]
        reason = reason or "beaten with evidence"
        if not benches:
            print("no baseline was beaten with evidence; nothing was written")
            return EXIT_PASS
    promotions = plan_promotions(baseline, current, benches, reason or "")
    write_promotions(promotions)
    for promotion in promotions:
        new, old = promotion.summary, promotion.replaced
        before = "none" if old is None else described_figures(old)
        print(printable(f"{new.bench_id}: {before} -> {described_figures(new)}: {promotion.path}"))
    return EXIT_PASS
