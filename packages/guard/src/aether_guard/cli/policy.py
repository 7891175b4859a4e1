"""`aether-guard policy`."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aether_guard.check.files import load_all
from aether_guard.check.policy import KEYS, policy_for, waiver_expired
from aether_guard.check.series import series_policy
from aether_guard.check.verdict import EXIT_PASS
from aether_guard.cli.options import Commands, add_command, add_policy, build_policies
from aether_guard.config import find_config
from aether_guard.report.format import format_percent
from aether_schema import printable, series_of

if TYPE_CHECKING:
    import argparse

EXAMPLE = """example:
  aether-guard policy packaging --gate 10%
"""


def register(commands: Commands[argparse.ArgumentParser]) -> None:
    """Register the command."""
    about = "print the policy of each bench and where it comes from"
    parser = add_command(commands, "policy", about, EXAMPLE, run)
    parser.add_argument("benches", nargs="*", metavar="BENCH", help="a bench_id [default: every bench with a file]")
    add_policy(parser)


def run(options: argparse.Namespace) -> int:
    """Print the policy in force for each bench and the source of each value."""
    config = find_config(".")
    book = build_policies(options, config)
    policies = {bench_id: policy_for(bench_id, book) for bench_id in options.benches}
    if not policies:
        loaded, _ = load_all([path for path in (*config.baseline, *config.current) if os.path.exists(path)])
        policies = {bench_id: policy_for(bench_id, book) for bench_id in book.expected}
        policies |= {
            series.summary.bench_id: series_policy(series, book)
            for item in loaded
            for series in series_of(item.summary)
        }
    today = datetime.now(UTC).date()
    for bench_id, effective in sorted(policies.items()) or [("*", policy_for("*", book))]:
        print(printable(bench_id))
        for key in KEYS:
            value = getattr(effective, key)
            if key in {"limit", "judge"} and effective.sources[key] == "default" and value in {None, True}:
                continue
            shown = format_percent(value) if key == "gate" else str(value).lower() if isinstance(value, bool) else value
            print(f"  {key.replace('_', '-'):14} {shown:10} {effective.sources[key]}")
        if effective.waiver is not None:
            waiver = effective.waiver
            term = "expired on" if waiver_expired(waiver, today) else "until"
            print(
                printable(f"  {'waiver':14} {format_percent(waiver.gate):10} {term} {waiver.expires}: {waiver.reason}")
            )
    print(f"level {format_percent(book.level)}: the false-alarm risk per build")
    return EXIT_PASS
