"""`aether-guard schema`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from aether_guard.command.form import Commands, add_command
from aether_guard.verdict import EXIT_PASS

if TYPE_CHECKING:
    import argparse

EXAMPLE = """example:
  aether-guard schema > summary.schema.json
"""


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    about = "print the JSON Schema of a summary or of a report"
    parser = add_command(commands, "schema", about, EXAMPLE, execute)
    parser.add_argument(
        "document", nargs="?", choices=("summary", "check", "ab"), default="summary", help="which one; %(default)s"
    )


def execute(options: argparse.Namespace) -> int:
    """Print a published JSON Schema."""
    from aether_guard.machine import published_ab_schema, published_check_schema
    from aether_schema.json_schema import published_schema

    published = {"summary": published_schema, "check": published_check_schema, "ab": published_ab_schema}
    sys.stdout.write(published[options.document]().decode())
    return EXIT_PASS
