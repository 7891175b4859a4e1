"""`aether-guard schema`."""

from __future__ import annotations

import sys
from importlib.resources import files
from typing import TYPE_CHECKING

from aether_guard.check.verdict import EXIT_PASS
from aether_guard.cli.options import Commands, add_command, missing_package

if TYPE_CHECKING:
    import argparse

#: The package and the file that hold the JSON Schema of each document.
_FILES = {
    "summary": ("aether_schema", "summary.schema.json"),
    "check": ("aether_guard", "check.schema.json"),
    "ab": ("aether_compare", "ab.schema.json"),
}
EXAMPLE = """example:
  aether-guard schema > summary.schema.json
"""


def register(commands: Commands[argparse.ArgumentParser]) -> None:
    """Register the command."""
    about = "print the JSON Schema of a summary or of a report"
    parser = add_command(commands, "schema", about, EXAMPLE, run)
    parser.add_argument(
        "document", nargs="?", choices=tuple(_FILES), default="summary", help="document [default: %(default)s]"
    )


def run(options: argparse.Namespace) -> int:
    """Print a published JSON Schema."""
    package, file = _FILES[options.document]
    try:
        schema = files(package).joinpath(file).read_text(encoding="utf-8")
    except ModuleNotFoundError:
        raise missing_package(options.document) from None
    sys.stdout.write(schema)
    return EXIT_PASS
