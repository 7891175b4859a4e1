"""`aether-guard import`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from aether_guard.check.verdict import EXIT_PASS
from aether_guard.cli.import_options import add_parse_options, import_options
from aether_guard.cli.options import Commands, add_command
from aether_guard.errors import GuardError
from aether_guard.report.format import described_figures
from aether_schema import printable, write_summary

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from aether_schema import Summary

EXAMPLE = """examples:
  aether-guard import pytest-benchmark bench.json --out benchmarks/baseline
    write a summary for each bench in the file, with its samples
  aether-guard import auto target/criterion results.json --out target/benchmarks
  aether-guard import csv load.csv --column name=route --column value=p50_ms \\
      --unit ms --out target/benchmarks

formats (auto detects them by their contents):
  asv, benchmarkdotnet, benchmarkjs, bmf, cargo-criterion, catch2, criterion,
  csv, github-action-benchmark, go, google-benchmark, gungraun, hyperfine, jmh,
  julia, junit, k6, libtest, locust, mitata, oha, phpbench, pyperf,
  pytest-benchmark, tinybench, vegeta, vitest, and formats of plugins;
  `aether-guard import --list` describes each

exit status: 0 written; 2 a file cannot be read, and nothing was written
"""
_MAX_THREADS = 16


def register(commands: Commands[argparse.ArgumentParser]) -> None:
    """Register the command."""
    about = "convert results of other tools to summaries"
    parser = add_command(commands, "import", about, EXAMPLE, run)
    parser.add_argument("format", nargs="?", metavar="FORMAT", help="name of the format, or auto")
    parser.add_argument("paths", nargs="*", metavar="FILE", help="a file, a folder, or a glob")
    parser.add_argument("--out", metavar="DIR", help="write the summaries to this folder, one file per bench")
    parser.add_argument("--list", action="store_true", help="list the installed formats and exit")
    add_parse_options(parser)


def run(options: argparse.Namespace) -> int:
    """Read every file, then write the summaries; write nothing if a file cannot be read."""
    from aether_formats.to_summaries import file_name_of
    from aether_guard.check.imported_files import Reader

    if options.list:
        return _list()
    if options.format is None or not options.paths or not options.out:
        raise GuardError("give FORMAT, FILE and --out DIR, or --list")
    reader = Reader(options.format, import_options(options))
    loaded, problems = reader.load_all(options.paths)
    if errors := [problem.message for problem in problems if problem.is_error]:
        raise GuardError("\n".join(errors))
    for problem in problems:
        print(f"aether-guard: not imported: {problem.message}", file=sys.stderr)
    paths = [os.path.join(options.out, file_name_of(item.summary.bench_id)) for item in loaded]
    _write_all(paths, [item.summary for item in loaded])
    for path, item in zip(paths, loaded, strict=True):
        summary = item.summary
        print(printable(f"{summary.bench_id}: {described_figures(summary)}, n {summary.n}: {path}"))
    return EXIT_PASS


def _write_all(paths: Sequence[str], summaries: Sequence[Summary]) -> None:
    """Write every summary, in threads if there are many, because most of the time is waiting for the disk."""
    if len(paths) < _MAX_THREADS:
        for path, summary in zip(paths, summaries, strict=True):
            write_summary(path, summary)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_MAX_THREADS) as pool:
        for _ in pool.map(write_summary, paths, summaries):
            pass


def _list() -> int:
    from aether_formats.registry import format_names, load_importer

    names = format_names()
    width = max(map(len, names), default=0)
    for name in names:
        print(printable(f"{name:{width}}  {load_importer(name).ABOUT}"))
    return EXIT_PASS
