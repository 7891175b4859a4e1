"""`aether-guard validate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aether_guard.check.files import load_all
from aether_guard.check.verdict import EXIT_ERROR, EXIT_PASS
from aether_guard.cli.options import Commands, add_command, print_error
from aether_guard.report.format import described_figures
from aether_schema import printable

if TYPE_CHECKING:
    import argparse

EXAMPLE = """example:
  aether-guard validate target/benchmarks 'baselines/**/*.json'

exit status: 0 every file is a valid summary; 2 a file is invalid or missing
"""


def register(commands: Commands[argparse.ArgumentParser]) -> None:
    """Register the command."""
    about = "check that files are valid summaries"
    parser = add_command(commands, "validate", about, EXAMPLE, run)
    parser.add_argument("paths", nargs="+", metavar="FILE", help="a file, a folder of *.json, or a glob")


def run(options: argparse.Namespace) -> int:
    """Print a line for each valid summary, and an error for each other file."""
    loaded, problems = load_all(options.paths)
    for item in loaded:
        summary = item.summary
        print(printable(f"ok: {item.path}: {summary.bench_id}: {described_figures(summary)}, n {summary.n}"))
    for problem in problems:
        print_error(problem.message)
    return EXIT_ERROR if problems else EXIT_PASS
