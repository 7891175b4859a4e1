"""`aether-guard export`."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from aether_formats.errors import FormatError
from aether_formats.exporters import check_figures
from aether_guard.check.files import load_all
from aether_guard.check.verdict import EXIT_PASS
from aether_guard.cli.options import Commands, add_command
from aether_guard.errors import GuardError
from aether_schema import printable, write_atomically

if TYPE_CHECKING:
    import argparse

#: The formats and the modules of `aether_formats.exporters` that write them.
FORMATS = {
    "bmf": "bmf",
    "csv": "csv_table",
    "github-action-benchmark": "github_action_benchmark",
    "openmetrics": "openmetrics",
    "pytest-benchmark": "pytest_benchmark",
}
EXAMPLE = """examples:
  aether-guard export bmf target/benchmarks -o results.json
  aether-guard export github-action-benchmark target/benchmarks --better lower

exit status: 0 written; 2 a file is missing or invalid, or the format cannot
  hold it
"""


def register(commands: Commands[argparse.ArgumentParser]) -> None:
    """Register the command."""
    about = "convert summaries to formats that other tools read"
    parser = add_command(commands, "export", about, EXAMPLE, run)
    parser.add_argument("format", choices=sorted(FORMATS), metavar="FORMAT", help=", ".join(sorted(FORMATS)))
    parser.add_argument("paths", nargs="+", metavar="FILE", help="a summary, a folder of *.json, or a glob")
    parser.add_argument("-o", "--output", metavar="FILE", help="write to this file [default: stdout]")
    parser.add_argument(
        "--better",
        choices=("lower", "higher"),
        help="export only benches of this direction, for a format that holds one",
    )


def run(options: argparse.Namespace) -> int:
    """Read every summary and write all of them as one document."""
    loaded, problems = load_all(options.paths)
    if problems:
        raise GuardError("\n".join(problem.message for problem in problems))
    for item in loaded:
        try:
            check_figures(item.summary)
        except FormatError as error:
            raise GuardError(f"{printable(item.path)}: {error}") from None
    summaries = [item.summary for item in loaded]
    seen: set[str] = set()
    for item in loaded:
        if item.summary.bench_id in seen:
            raise GuardError(printable(f"{item.path}: bench_id: {item.summary.bench_id} is in another file as well"))
        seen.add(item.summary.bench_id)
    if options.better:
        lower = options.better == "lower"
        summaries = [summary for summary in summaries if summary.lower_is_better is lower]
        if not summaries:
            raise GuardError(f"--better {options.better}: no bench has this direction")
    text: str = import_module(f"aether_formats.exporters.{FORMATS[options.format]}").render(summaries)
    if options.output:
        write_atomically(options.output, text.encode(errors="backslashreplace"))
    else:
        sys.stdout.write(text)
    return EXIT_PASS
