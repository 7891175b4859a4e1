"""`aether-guard noise`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aether_guard.check.policy import policy_for
from aether_guard.check.verdict import EXIT_PASS
from aether_guard.cli.options import Commands, add_command, add_policy, build_policies, percentage_argument
from aether_guard.config import find_config
from aether_guard.errors import GuardError
from aether_guard.report.format import format_percent
from aether_schema import printable

if TYPE_CHECKING:
    import argparse

MIN_RUNS = 2
DEFAULT_SLOWDOWNS = (0.1, 0.3, 0.4)

EXAMPLE = """example:
  aether-bench noise packaging --runs 40
  aether-guard noise target/noise/noise-pack.jsonl --gate 5% --quantile p50
"""


def register(commands: Commands[argparse.ArgumentParser]) -> None:
    """Register the command."""
    about = "estimate the false alarms of the policy on recorded runs"
    parser = add_command(commands, "noise", about, EXAMPLE, run)
    parser.add_argument(
        "recordings",
        nargs="+",
        metavar="RECORDING",
        help="JSON lines of `aether-bench noise`, or a folder of summaries",
    )
    parser.add_argument(
        "--slowdown",
        type=percentage_argument,
        action="append",
        metavar="30%",
        help="slowdown to detect; repeatable [default: 10%%, 30%%, 40%%]",
    )
    parser.add_argument(
        "--rate",
        type=percentage_argument,
        default=0.002,
        metavar="0.2%",
        help="tolerated false alarms [default: 0.2%%]",
    )
    add_policy(parser)


def run(options: argparse.Namespace) -> int:
    """Print the policy's rates of false alarms and of detected slowdowns on recorded runs."""
    from aether_guard.check.aa_study import StudySpec, evaluate_policy
    from aether_guard.check.recordings import read_recording

    book = build_policies(options, find_config("."))
    for path in options.recordings:
        runs = read_recording(path)
        if len(runs) < MIN_RUNS or len({run.bench_id for run in runs}) > 1:
            raise GuardError(f"{printable(path)}: must hold at least {MIN_RUNS} runs of one bench")
        effective = policy_for(runs[0].bench_id, book)
        slowdowns = options.slowdown or DEFAULT_SLOWDOWNS
        study = StudySpec(slowdowns=slowdowns, wished_rate=options.rate, level=book.level)
        report = evaluate_policy(runs, effective, study, datetime.now(UTC).date())
        if report.errors == report.pairs:
            raise GuardError(f"{printable(path)}: no two runs can be compared: {printable(report.problem or '')}")
        print(printable(f"{report.bench_id}: {report.runs} runs of unchanged code, {report.pairs} ordered pairs"))
        if report.errors:
            print(printable(f"  {report.errors} pairs cannot be compared and are left out: {report.problem}"))
        gate = format_percent(effective.gate_in_force)
        print(f"  policy: {effective.quantile}, gate {gate}, level {format_percent(book.level)}")
        for outcome in report.outcomes:
            label = f"slowed down by {format_percent(outcome.slowdown)}" if outcome.slowdown else "unchanged"
            share = f"{outcome.regressions * 100:6.2f} % regressions, {outcome.inconclusive * 100:6.2f} % inconclusive"
            print(f"  {label:24}{share}")
        tightest = "none" if report.tightest_gate is None else format_percent(report.tightest_gate)
        print(f"  tightest gate with at most {format_percent(report.wished_rate)} false alarms: {tightest}")
    return EXIT_PASS
