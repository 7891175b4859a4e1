"""`aether-guard init`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aether_guard.check.verdict import EXIT_PASS
from aether_guard.cli.options import Commands, add_command
from aether_schema import printable

if TYPE_CHECKING:
    import argparse

EXAMPLE = """example:
  aether-guard init --ci github
    look for benchmark suites, bench commands and results in this
    repository, write aether.toml and a CI workflow that measures and
    compares, and print the next steps; existing files are never overwritten

exit status:
  0  done, or nothing to do
  2  a file cannot be read or written
"""


def register(commands: Commands[argparse.ArgumentParser]) -> None:
    """Register the command."""
    about = "write aether.toml and a CI workflow for this repository"
    parser = add_command(commands, "init", about, EXAMPLE, run)
    parser.add_argument("--dry-run", action="store_true", help="print the files instead of writing them")
    parser.add_argument("--ci", choices=("github", "gitlab"), help="CI host of the workflow [default: detect]")


def run(options: argparse.Namespace) -> int:
    """Inspect the repository, write the missing files, and print a report."""
    from aether_guard.init import describe_init, discover, plan_init, write_init

    planned = plan_init(discover("."), options.ci)
    for line in describe_init(planned, None if options.dry_run else write_init(planned)):
        print(printable(line))
    return EXIT_PASS
