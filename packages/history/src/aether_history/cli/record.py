"""`aether-guard record`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aether_guard.check.files import load_all
from aether_guard.check.verdict import EXIT_ERROR, EXIT_PASS
from aether_guard.cli.options import Commands, add_command, print_error
from aether_guard.config import find_config
from aether_guard.errors import GuardError
from aether_schema import printable, series_of

if TYPE_CHECKING:
    import argparse

    from aether_history.row import Row
    from aether_history.store import Store

DEFAULT_HISTORY = "target/history"

EXAMPLE = """examples:
  aether-guard record
    appends the current summaries that aether.toml names to target/history
  aether-guard record target/benchmarks --history s3://bucket/history \\
                      --run-id "$GITHUB_RUN_ID"
  aether-guard record --compact
    makes one file of those of many runs, while others record and read

The same run recorded again changes nothing.

exit status: 0 recorded, or there already; 2 a file is missing or invalid, or
the history cannot be written
"""


def register(commands: Commands[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    about = "append the current summaries to a history"
    parser = add_command(commands, "record", about, EXAMPLE, run)
    parser.add_argument("paths", nargs="*", metavar="PATH", help="a file, a folder of *.json, or a glob")
    add_history(parser)
    parser.add_argument("--format", choices=("jsonl", "parquet"), default="jsonl", help="of the file; %(default)s")
    parser.add_argument("--run-id", metavar="ID", default="", help="what the run is called; made of what it measured")
    parser.add_argument("--commit", metavar="REV", help="the measured commit [default: the summary's, or HEAD]")
    parser.add_argument("--branch", metavar="NAME", help="the branch [default: from the CI host or git]")
    parser.add_argument("--compact", action="store_true", help="gather the files of single runs into one")


def add_history(parser: argparse.ArgumentParser) -> None:
    """Add the option with the address of the history."""
    parser.add_argument(
        "--history",
        metavar="ADDRESS",
        default=DEFAULT_HISTORY,
        help="a folder, or an address that fsspec knows; %(default)s",
    )


def run(options: argparse.Namespace) -> int:
    """Append and report, or merge the files."""
    from aether_history.store import open_store

    store = open_store(options.history)
    if options.compact:
        if options.paths or options.run_id:
            raise GuardError("--compact merges recorded files; it takes no summaries and no --run-id")
        return _compact(store)
    from aether_history.provenance import provenance_of
    from aether_history.row import rows_of

    config = find_config(".")
    paths = options.paths or config.current
    if not paths:
        where = config.path or "an aether.toml (none found from here upwards)"
        raise GuardError(f"nothing to record: name summaries, or guard.current in {where}")
    loaded, problems = load_all(paths)
    if problems:
        # All of a run or nothing: a missing part could not be added under the same id.
        raise GuardError("\n".join(problem.message for problem in problems))
    summaries = [series.summary for item in loaded for series in series_of(item.summary)]
    rows = rows_of(
        summaries, provenance_of(summaries, options.commit, options.branch), options.run_id, datetime.now(UTC)
    )
    _record(store, rows, options.format)
    return EXIT_PASS


def _record(store: Store, rows: list[Row], form: str) -> None:
    from aether_history.row import encode_lines, file_stem
    from aether_history.store import LINES, PARQUET

    stem = file_stem(rows)
    what = f"{len(rows)} bench{'' if len(rows) == 1 else 'es'} of run {rows[0].run_id}"
    there = next((name for name in (stem + LINES, stem + PARQUET) if store.has(name)), None)
    if there is None:
        data, there = encode_lines(rows), stem + LINES
        if form == "parquet":
            from aether_history.query import parquet_of_lines

            data, there = parquet_of_lines(data), stem + PARQUET
        store.write(there, data)
        commits = sorted({row.commit[:12] for row in rows if row.commit}) or ["unknown"]
        message = f"recorded {what}, commit {', '.join(commits)}, branch {rows[0].branch or 'unknown'}"
    else:
        message = f"{what} were there already"
    print(printable(f"{message}: {store.path(there)}"))


def _compact(store: Store) -> int:
    from aether_history.compact import compact

    packed = compact(store)
    for problem in packed.problems:
        print_error(problem)
    if packed.files:
        print(printable(f"{packed.files:,} files are one now: {store.path(packed.name)}"))
    else:
        print("there is nothing to gather")
    return EXIT_ERROR if packed.problems else EXIT_PASS
