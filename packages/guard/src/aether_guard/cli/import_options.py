"""Options of `check --from` and `import`: how to read files of other tools."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from aether_guard.cli.options import percentage_argument
from aether_guard.errors import GuardError

if TYPE_CHECKING:
    from aether_formats.model import ImportOptions
    from aether_schema import Better

_DIRECTIONS: dict[str, Better] = {"lower": "lower", "higher": "higher"}


def add_importing(parser: argparse._ActionsContainer) -> None:
    """Add `--from` and the options that depend on it."""
    parser.add_argument(
        "--from", dest="source", metavar="FORMAT", help="read files of another tool: a format, or auto to detect it"
    )
    add_parse_options(parser)


def add_parse_options(parser: argparse._ActionsContainer) -> None:
    """Add the options for facts that a file of another tool does not hold."""
    parser.add_argument(
        "--better",
        action="append",
        default=[],
        type=better_argument,
        metavar="[GLOB=]WAY",
        help="lower or higher, for units without a direction; GLOB=lower overrides the unit of matching benches",
    )
    parser.add_argument("--unit", help="unit of figures that have none, as in a CSV")
    parser.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="WHAT=NAME",
        help="CSV column of the name, value, unit, round …",
    )
    parser.add_argument("--prefix", default="", metavar="TEXT", help="put this text before every bench's name")
    parser.add_argument(
        "--allow-failures",
        type=percentage_argument,
        default=0.0,
        metavar="1%",
        help="judge a bench even if up to this share of its operations failed [default: 0%%]",
    )


def import_options(options: argparse.Namespace) -> ImportOptions:
    """Build the importer's options from the command line.

    Raises:
        GuardError: `--column` is malformed.

    """
    from aether_formats.importers.csv_table import USUAL
    from aether_formats.model import ImportOptions

    columns: dict[str, str] = {}
    for text in options.column:
        role, _, name = text.partition("=")
        if role not in USUAL or not name:
            raise GuardError(f"--column {text}: write WHAT=NAME, where WHAT is one of {', '.join(USUAL)}")
        columns[role] = name
    return ImportOptions(
        better=tuple(options.better),
        columns=columns,
        unit=options.unit,
        prefix=options.prefix,
        allow_failures=options.allow_failures,
    )


def refuse_import_options(options: argparse.Namespace) -> None:
    """Refuse options that need `--from`.

    Raises:
        GuardError: such an option was given without `--from`.

    """
    for name in ("better", "unit", "column", "prefix", "allow_failures"):
        if getattr(options, name):
            raise GuardError(f"--{name.replace('_', '-')} needs --from FORMAT")


def better_argument(text: str) -> tuple[str, Better]:
    """Parse `[GLOB=]WAY` for argparse: a glob, empty if not given, and a direction."""
    glob, _, way = text.rpartition("=")
    if way not in _DIRECTIONS:
        raise argparse.ArgumentTypeError(f"{text!r}: write lower, higher, or GLOB=lower")
    return glob, _DIRECTIONS[way]
