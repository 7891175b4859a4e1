"""What the commands have in common: how help looks, the options of a policy, complaints."""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from msgspec.structs import replace

from aether_guard.check.policy import PolicyOverrides, PolicySet
from aether_guard.errors import GuardError
from aether_guard.report.format import parse_percentage
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aether_guard.config import Config

EXIT_STATUSES = """exit status:
  0  no regression
  1  at least one regression
  2  usage, a missing or invalid file, a bench that cannot be compared;
     outranks 1
  3  with --strict: inconclusive
"""

#: Commands that come with a sibling package, and the extra of aether-guard that installs it.
EXTRA_OF_COMMAND = {"ab": "ab", "bisect": "ab", "record": "history", "trend": "history"}

Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for what add_subparsers returns


class Parser(argparse.ArgumentParser):
    """A parser that takes options by their whole names and complains in one line of printable text.

    With abbreviations allowed, `--form auto` would be an invalid value of `--format`, an option that nobody gave.
    """

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - as argparse has them
        """Take the keywords that argparse takes."""
        super().__init__(allow_abbrev=False, **settings)

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """Exit with status 2 and the nearest options of this parser's help for the first unknown argument."""
        import difflib

        options = set(re.findall(r"--[a-z][a-z-]*", self.format_help()))
        near = difflib.get_close_matches(unknown[0].partition("=")[0], sorted(options), n=2)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message, and exit with status 2."""
        super().error(printable(message))


def add_command(
    commands: Commands[argparse.ArgumentParser],
    name: str,
    about: str,
    example: str,
    execute: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    """Return the parser of a command, to be given its options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=about,
        description=about[:1].upper() + about[1:] + ".",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=example,
    )
    parser.set_defaults(command=execute, parser=parser)
    return parser


def add_policy(parser: argparse.ArgumentParser) -> None:
    """Add the options that stand over the policies of `aether.toml`."""
    parser.add_argument(
        "--gate", type=percentage_argument, metavar="20%", help="the worsening that counts as a regression; 20%%"
    )
    parser.add_argument("--quantile", choices=("p50", "p95"), help="which figure is judged; p95")
    parser.add_argument("--warn-only", action="store_true", help="report regressions, but exit 0 for them")
    parser.add_argument(
        "--evidence", choices=("any", "samples", "ruler"), help="what every bench must bring, or be an error; any"
    )
    parser.add_argument(
        "--host-mismatch",
        choices=("ignore", "warn", "error"),
        help="what to do when the machines differ; warn: compare by the ruler, else call it inconclusive",
    )
    parser.add_argument("--expect", action="append", default=[], metavar="BENCH", help="an error if it is not there")


def add_input_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name baselines and currents, to be paired by bench."""
    parser.add_argument("--baseline", nargs="+", action="extend", default=[], metavar="PATH", help="baselines")
    parser.add_argument("--current", nargs="+", action="extend", default=[], metavar="PATH", help="current summaries")


def build_policies(options: argparse.Namespace, config: Config) -> PolicySet:
    """Return the file's policies with the command line's over them."""
    wishes = PolicyOverrides(
        gate=options.gate,
        quantile=options.quantile,
        warn_only=options.warn_only or None,
        evidence=options.evidence,
        host_mismatch=options.host_mismatch,
    )
    expected = (*config.book.expected, *options.expect)
    return replace(config.book, cli_overrides=(("command line", wishes),), expected=expected)


def missing_package(command: str) -> GuardError:
    """Return the error of a command whose package is not installed."""
    return GuardError(f"{command}: not installed: pip install 'aether-guard[{EXTRA_OF_COMMAND[command]}]'")


def percentage_argument(text: str) -> float:
    """Return a percentage as argparse wants it."""
    try:
        return parse_percentage(text)
    except GuardError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def print_error(message: str) -> None:
    """Say on the error stream what is wrong; where that is full or gone, the exit status has to say it."""
    with contextlib.suppress(OSError):
        print(printable(f"aether-guard: error: {message}"), file=sys.stderr)
