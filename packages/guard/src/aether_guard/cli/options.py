"""Parts shared by the commands: the parser, policy options, error output."""

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
    """A parser without abbreviated options, whose errors are one printable line.

    With abbreviations, `--form auto` would be reported as an invalid value of `--format`.
    """

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - argparse's own keywords
        """Take the keywords of `argparse.ArgumentParser`."""
        super().__init__(allow_abbrev=False, **settings)

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """Report unknown arguments, suggest options close to the first, and exit with status 2."""
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
    """Add a command and return its parser."""
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
    """Add the options that override the policies of `aether.toml`."""
    parser.add_argument(
        "--gate",
        type=percentage_argument,
        metavar="20%",
        help="worsening that counts as a regression [default: 20%%]",
    )
    parser.add_argument("--quantile", choices=("p50", "p95"), help="quantile to judge [default: p95]")
    parser.add_argument("--warn-only", action="store_true", help="report regressions, but exit 0 for them")
    parser.add_argument(
        "--evidence",
        choices=("any", "samples", "ruler"),
        help="fail benches without samples, or (ruler) without a reference [default: any]",
    )
    parser.add_argument(
        "--host-mismatch",
        choices=("ignore", "warn", "error"),
        help="if the machines differ; warn: normalize by the reference, else inconclusive [default: warn]",
    )
    parser.add_argument(
        "--expect", action="append", default=[], metavar="BENCH", help="fail if this bench is missing; repeatable"
    )


def add_input_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name baselines and current summaries, which are paired by bench."""
    parser.add_argument(
        "--baseline", nargs="+", action="extend", default=[], metavar="PATH", help="baselines: files, folders or globs"
    )
    parser.add_argument(
        "--current",
        nargs="+",
        action="extend",
        default=[],
        metavar="PATH",
        help="current summaries: files, folders or globs",
    )


def build_policies(options: argparse.Namespace, config: Config) -> PolicySet:
    """Return the configured policies, overridden by the command line."""
    overrides = PolicyOverrides(
        gate=options.gate,
        quantile=options.quantile,
        warn_only=options.warn_only or None,
        evidence=options.evidence,
        host_mismatch=options.host_mismatch,
    )
    expected = (*config.book.expected, *options.expect)
    return replace(config.book, cli_overrides=(("command line", overrides),), expected=expected)


def missing_package(command: str) -> GuardError:
    """Return the error of a command whose package is not installed."""
    return GuardError(f"{command}: not installed: pip install 'aether-guard[{EXTRA_OF_COMMAND[command]}]'")


def percentage_argument(text: str) -> float:
    """Parse a percentage for argparse."""
    try:
        return parse_percentage(text)
    except GuardError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def print_error(message: str) -> None:
    """Print an error to stderr; if stderr is full or closed, only the exit status reports it."""
    with contextlib.suppress(OSError):
        print(printable(f"aether-guard: error: {message}"), file=sys.stderr)
