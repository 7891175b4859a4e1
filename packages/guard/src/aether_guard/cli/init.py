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
    looks for summaries and bench commands in this repository, writes
    aether.toml and a workflow that runs, checks and uploads, and says what to
    do next; what is there already is never overwritten

exit status:
  0  done, or nothing was to be done
  2  a file cannot be read or written
"""


def register(commands: Commands[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    about = "set the guard up in this repository, from what its benches write already"
    parser = add_command(commands, "init", about, EXAMPLE, run)
    parser.add_argument("--ci", choices=("github", "gitlab"), help="whose workflow to write; found out if not given")


def run(options: argparse.Namespace) -> int:
    """Look, write what is missing, and tell."""
    from aether_guard.init import describe_init, discover, plan_init, write_init

    planned = plan_init(discover("."), options.ci)
    for line in describe_init(planned, write_init(planned)):
        print(printable(line))
    return EXIT_PASS
