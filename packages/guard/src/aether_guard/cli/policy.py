"""`aether-guard policy`."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aether_guard.check.files import load_all
from aether_guard.check.policy import KEYS, policy_for, waiver_expired
from aether_guard.check.verdict import EXIT_PASS
from aether_guard.cli.options import Commands, add_command, add_policy, build_policies
from aether_guard.config import find_config
from aether_guard.report.format import format_percent
from aether_schema import printable

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
    known = options.benches
    if not known:
        loaded, _ = load_all([path for path in (*config.baseline, *config.current) if os.path.exists(path)])
        known = sorted({item.summary.bench_id for item in loaded} | set(book.expected))
    today = datetime.now(UTC).date()
    for bench_id in known or ["*"]:
        effective = policy_for(bench_id, book)
        print(printable(bench_id))
        for key in KEYS:
            value = getattr(effective, key)
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
