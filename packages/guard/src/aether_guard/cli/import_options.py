"""What `check --from` and `import` have in common: the options that say how to read other tools' files."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from aether_guard.cli.options import percentage_argument
from aether_guard.errors import GuardError

if TYPE_CHECKING:
    from aether_formats.model import ImportOptions
    from aether_schema import Better

_WAYS: dict[str, Better] = {"lower": "lower", "higher": "higher"}


def add_importing(parser: argparse.ArgumentParser) -> None:
    """Add `--from` and what goes with it."""
    parser.add_argument(
        "--from", dest="source", metavar="FORMAT", help="the files are another tool's, in this format, or auto"
    )
    add_parse_options(parser)


def add_parse_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for what a file does not say."""
    parser.add_argument(
        "--better",
        action="append",
        default=[],
        type=better_argument,
        metavar="[GLOB=]WAY",
        help="lower or higher, where a unit does not say; with a glob, of those benches whatever it says",
    )
    parser.add_argument("--unit", help="of figures that have none, as in a CSV")
    parser.add_argument(
        "--column", action="append", default=[], metavar="WHAT=NAME", help="a CSV's column: name, value, unit, round …"
    )
    parser.add_argument("--prefix", default="", metavar="TEXT", help="put this before every bench's name")
    parser.add_argument(
        "--allow-failures",
        type=percentage_argument,
        default=0.0,
        metavar="1%",
        help="judge a bench although up to this share of its operations failed [default: 0%%]",
    )


def import_options(options: argparse.Namespace) -> ImportOptions:
    """Return what the options say.

    Raises:
        GuardError: a column is not given as it should be.

    """
    from aether_formats.importers.csv_table import USUAL
    from aether_formats.model import ImportOptions

    columns: dict[str, str] = {}
    for text in options.column:
        what, _, name = text.partition("=")
        if what not in USUAL or not name:
            raise GuardError(f"--column {text}: write WHAT=NAME, and WHAT is one of {', '.join(USUAL)}")
        columns[what] = name
    return ImportOptions(
        better=tuple(options.better),
        columns=columns,
        unit=options.unit,
        prefix=options.prefix,
        allow_failures=options.allow_failures,
    )


def refuse_import_options(options: argparse.Namespace) -> None:
    """Refuse what only goes with another tool's files.

    Raises:
        GuardError: such an option was given without a format.

    """
    for name in ("better", "unit", "column", "prefix", "allow_failures"):
        if getattr(options, name):
            raise GuardError(f"--{name.replace('_', '-')} goes with --from")


def better_argument(text: str) -> tuple[str, Better]:
    """Return a glob, empty where there is none, and a direction, as argparse wants it."""
    glob, _, way = text.rpartition("=")
    if way not in _WAYS:
        raise argparse.ArgumentTypeError(f"{text!r}: write lower, higher, or GLOB=lower")
    return glob, _WAYS[way]
