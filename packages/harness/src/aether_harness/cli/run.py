"""`aether-bench run`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from aether_harness.benchmark.command_bench import command_targets
from aether_harness.cli.options import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_STATUSES,
    Commands,
    add_command,
    add_measurement_options,
    ensure_output_folder,
    plan_from_options,
    print_run_header,
    seconds,
)
from aether_harness.cli.progress import progress_observer, results_table
from aether_harness.cli.sweep_table import notes_not_in_table, sweep_table
from aether_harness.count.counter import check_counters
from aether_harness.count.run import AUTO, AUTO_LIMIT_S, Counts, count_bench
from aether_harness.discovery.isolated import targets_of
from aether_harness.discovery.locator import CommandAddress, check_distinct, check_names
from aether_harness.errors import UsageError
from aether_harness.machine.fingerprint import fingerprint, machine_state
from aether_harness.machine.sysinfo import cpu_quota
from aether_harness.measure.plan import DEFAULT_PROFILE
from aether_harness.measure.runner import run_benches
from aether_harness.measure.summarize import RunMetadata, join_notes, notes_on_machine, summarise
from aether_harness.sweep.plot import check_plot_path, plot_sweep
from aether_harness.sweep.sweep import build_plots, require_sweep, swept_benches
from aether_schema import UNIT_OF_METRIC, InvalidSummaryError, SummaryFileError, read_summary, write_summary

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from aether_harness.discovery.locator import RunTarget
    from aether_harness.measure.plan import RunPlan
    from aether_harness.measure.runner import BenchResult
    from aether_schema import Summary

DEFAULT_FOLDER = "target/benchmarks"

EXAMPLE = """example:
  aether-bench run packaging --profile quick -p pack.files=1000
    measures the packaging of 1,000 files in 2 rounds and writes
    target/benchmarks/bench-pack.json, or bench-pack-files-1000.json
    if that holds a run with other parameters
  aether-bench run streaming -p stream.chunk=4K,64K --plot chunk.png
    measures two points of a sweep, a summary each, and draws them
  aether-bench run benchmarks my_bench.py::parse --max-time 300
    measures the functions under @bench in that folder, and one of a
    file; starts no round after 5 minutes
  aether-bench run --exec 'gzip -kf big.txt' --name gzip

"""


def register(commands: Commands[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = add_command(commands, "run", "measure benches and write their summaries", EXAMPLE + EXIT_STATUSES, run)
    parser.add_argument(
        "benches",
        nargs="*",
        metavar="BENCH",
        help="a bench's id or short name, FILE.py, FILE.py::ID or a folder [default: every installed bench]",
    )
    parser.add_argument(
        "--exec", dest="commands", action="append", default=[], metavar="COMMAND", help="make a bench of a command"
    )
    parser.add_argument("--name", action="append", default=[], metavar="ID", help="the id of the --exec before it")
    parser.add_argument(
        "--max-time", type=seconds, metavar="S", help="start no round after S seconds; each bench gets one round"
    )
    parser.add_argument(
        "--count",
        type=_counters,
        default="auto",
        metavar="auto|none|NAME,…",
        help="count operations after the timed rounds; auto: bytecodes, if an operation is short [default: auto]",
    )
    parser.add_argument("--plot", metavar="FILE", help="a picture of a sweep (needs the extra `plot`)")
    add_measurement_options(parser, default_profile=DEFAULT_PROFILE, default_out=DEFAULT_FOLDER)


def run(options: argparse.Namespace) -> int:
    """Measure, write a summary a bench that finished, and print the table."""
    targets = command_targets(options.commands, options.name)
    if options.benches or not targets:
        targets += targets_of(options.benches, options.param, options.timeout)
    check_distinct(targets)
    for target in targets:
        check_names(target)
    if options.count != "auto":
        check_counters(options.count)
    if options.plot is not None:
        require_sweep(targets)
        check_plot_path(options.plot)
    plan = plan_from_options(options)
    ensure_output_folder(options.out)
    targets = [_beside(target, options.out) for target in targets]
    if not options.quiet:
        print_run_header(plan)
    units = {target.bench_id: UNIT_OF_METRIC[target.metric] for target in targets}
    clocks_apart_s = time.time() - time.monotonic()
    machine_state()  # so that later calls report the time in between
    with progress_observer(plan.profile, units, quiet=options.quiet, max_time_s=options.max_time) as observer:
        outcomes = run_benches(targets, plan, observer, options.max_time)
    counts = _counts(outcomes, plan, options)
    circumstances = RunMetadata(
        ended=datetime.now(UTC),
        commit=_commit(),
        environment=fingerprint(plan.assignment),
        readings=machine_state(),
        notes=notes_on_machine(cpu_quota(), time.time() - time.monotonic() - clocks_apart_s),
    )
    written, failed = _written(outcomes, plan, circumstances, options.out, counts)
    if written and not options.quiet:
        _print(written, options.out, {outcome.target.bench_id: outcome.note for outcome in outcomes})
    if options.plot is not None:
        failed += _drawn(written, options.plot)
    for problem in failed:
        print(f"aether-bench: {problem}", file=sys.stderr)
    return EXIT_FAILED if failed else EXIT_OK


def _beside(target: RunTarget, folder: str) -> RunTarget:
    """Return the target; named by its parameters if a summary with other parameters has its file."""
    if target.variant is None:
        return target
    try:
        there = read_summary(_path_of(target, folder)).params
    except SummaryFileError:
        return target
    if there is None or there == target.params:
        return target
    return replace(target, bench_id=target.variant.bench_id, name=target.variant.name)


def _path_of(target: RunTarget, folder: str) -> str:
    return os.path.join(folder, f"bench-{target.name}.json")


def _counters(text: str) -> str | tuple[str, ...]:
    """Return the names of counters as argparse wants them: `auto`, nothing for `none`, or a list."""
    if text in {"auto", "none"}:
        return "auto" if text == "auto" else ()
    return tuple(filter(None, (name.strip() for name in text.split(","))))


def _counts(outcomes: Sequence[BenchResult], plan: RunPlan, options: argparse.Namespace) -> dict[str, Counts]:
    """Return the counts of each finished bench, by its id; `auto` leaves long operations out."""
    counts: dict[str, Counts] = {}
    for outcome in outcomes:
        if outcome.error is not None or isinstance(outcome.target.address, CommandAddress):
            continue
        names, limit_s = (AUTO, AUTO_LIMIT_S) if options.count == "auto" else (options.count, None)
        counts[outcome.target.bench_id] = count_bench(outcome.target, plan, names, limit_s)
    return counts


def _written(
    outcomes: Sequence[BenchResult],
    plan: RunPlan,
    circumstances: RunMetadata,
    folder: str,
    counts: Mapping[str, Counts],
) -> tuple[list[tuple[RunTarget, Summary, str]], list[object]]:
    """Write the summaries of the finished benches; return them with their paths, and the failures."""
    written: list[tuple[RunTarget, Summary, str]] = []
    failed: list[object] = [outcome.error for outcome in outcomes if outcome.error is not None]
    for outcome in outcomes:
        if outcome.error is not None:
            continue
        path = _path_of(outcome.target, folder)
        try:
            summary = _with_counts(
                summarise(outcome.target, outcome.rounds, plan, circumstances), counts.get(outcome.target.bench_id)
            )
            write_summary(path, summary)
        except InvalidSummaryError as error:
            failed.append(f"{outcome.target.bench_id}: {error}")
        except SummaryFileError as error:
            failed.append(error)
        else:
            written.append((outcome.target, summary, path))
    return written, failed


def _with_counts(summary: Summary, counts: Counts | None) -> Summary:
    if counts is None:
        return summary
    return replace(
        summary,
        figures={**(summary.figures or {}), **counts.figures} or None,
        functions=counts.functions or None,
        notes=join_notes([summary.notes, counts.note]),
    )


def _print(written: Sequence[tuple[RunTarget, Summary, str]], folder: str, own_notes: Mapping[str, str | None]) -> None:
    """Print a table of all runs, one table per sweep, and the notes on their figures."""
    single = [(summary, path) for target, summary, path in written if target.point is None]
    measured = [(target, summary) for target, summary, _ in written]
    tables = [results_table(single)] if single else []
    print("\n\n".join([*tables, *(sweep_table(points, folder) for points in swept_benches(measured))]))
    for target, summary in measured:
        note = (
            summary.notes if target.point is None else notes_not_in_table((target, summary), own_notes[target.bench_id])
        )
        if note:
            print(f"{summary.bench_id}: {note}")


def _drawn(written: Sequence[tuple[RunTarget, Summary, str]], path: str) -> list[object]:
    """Plot every swept bench, one file per bench; return the failures."""
    stem, ending = os.path.splitext(path)
    try:
        pictures = build_plots([(target, summary) for target, summary, _ in written])
        for picture in pictures:
            plot_sweep(f"{stem}-{picture.name}{ending}" if len(pictures) > 1 else path, picture)
    except UsageError as error:
        return [error]
    return []


def _commit() -> str | None:
    """Return the commit of the working folder, with `-dirty` behind it if files were changed since."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude", "*"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None
