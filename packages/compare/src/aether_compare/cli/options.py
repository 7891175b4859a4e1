"""Options that `ab` and `bisect` share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_setup(parser: argparse._ActionsContainer) -> None:
    """Add the option with the commands that set up a side."""
    parser.add_argument(
        "--setup",
        action="append",
        default=[],
        metavar="COMMAND",
        help="set up a side's environment, as [ab] setup does; repeatable",
    )


def add_suite(parser: argparse._ActionsContainer) -> None:
    """Add the options that describe a benchmark suite and where its results are."""
    parser.add_argument("--run", metavar="COMMAND", help="run the suite; {out} is the path of its result file")
    parser.add_argument("--suite", metavar="NAME", help="a known --run and --from: go, pytest-benchmark or vitest")
    parser.add_argument(
        "--results", metavar="PATH", help="read the results there, a path in the tree, instead of {out}"
    )
    parser.add_argument("--each", metavar="COMMAND", help="run only the benchmark {bench}")
