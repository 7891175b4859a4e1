"""`aether-guard check`."""

from __future__ import annotations

import os
import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from aether_guard.check.files import LoadedSummary, load
from aether_guard.check.pairing import InputPaths, judge_sides, split_sides
from aether_guard.check.verdict import Report, build_report
from aether_guard.cli.import_options import add_importing, import_options, refuse_import_options
from aether_guard.cli.options import (
    EXIT_STATUSES,
    Commands,
    add_command,
    add_input_options,
    add_policy,
    build_policies,
)
from aether_guard.cli.output import add_output_options, write_report
from aether_guard.config import Config, find_config
from aether_guard.errors import GuardError
from aether_schema import series_of

if TYPE_CHECKING:
    import argparse

    from aether_guard.check.verdict import Judgement
    from aether_guard.report.html import SummaryPair
    from aether_schema import Summary

EXAMPLE = """examples:
  aether-guard check
    compare the files named in aether.toml
  aether-guard check baseline/bench-pack.json target/benchmarks/bench-pack.json
  aether-guard check --baseline baseline --current target/benchmarks --gate 10%
    pair the summaries of two folders by bench_id
  aether-guard check --from auto old/bench.json new/bench.json
    compare results of another tool; `aether-guard import -h` lists the formats

"""


def register(commands: Commands[argparse.ArgumentParser]) -> None:
    """Register the command."""
    about = "compare current summaries with baselines"
    parser = add_command(commands, "check", about, EXAMPLE + EXIT_STATUSES, run)
    parser.add_argument(
        "paths", nargs="*", metavar="BASELINE CURRENT", help="pairs of paths: files, folders of *.json, or globs"
    )
    add_input_options(parser)
    add_importing(parser)
    add_policy(parser)
    add_output_options(parser)


def run(options: argparse.Namespace) -> int:
    """Compare, report, and return the exit status of the worst verdict."""
    config = find_config(".")
    book = build_policies(options, config)
    sides, today = _sides(options, config), datetime.now(UTC).date()
    sides = replace(sides, promotion=_promotion(options, sides))
    if options.source is None:
        refuse_import_options(options)
        judgements = judge_sides(sides, book, today)
    else:
        from aether_guard.check.imported_files import Reader

        judgements = judge_sides(sides, book, today, Reader(options.source, import_options(options)).load_all)
    if not judgements:
        raise GuardError("nothing to compare")
    report = build_report(judgements, strict=options.strict, level=book.level)
    write_report(report, options, _Documents(report))
    return report.exit_code


def _promotion(options: argparse.Namespace, sides: InputPaths) -> str:
    """Return the command that turns the current summaries into the first baseline."""
    if options.source is not None:
        path = sides.baseline[0]
        folder = (os.path.dirname(path) or ".") if os.path.splitext(path)[1] else path
        return shlex.join(["aether-guard", "import", options.source, *sides.current, "--out", folder])
    is_configured = not options.paths and not options.baseline
    paths = [] if is_configured else ["--baseline", *sides.baseline, "--current", *sides.current]
    return shlex.join(["aether-guard", "promote", *paths, "--reason", "first baseline"])


def _sides(options: argparse.Namespace, config: Config) -> InputPaths:
    if len(options.paths) % 2:
        raise GuardError(f"paths come in pairs, BASELINE CURRENT: {options.paths[-1]} has no partner")
    if bool(options.baseline) != bool(options.current):
        raise GuardError("--baseline and --current must be given together")
    if options.source is not None and (options.paths or options.baseline):
        # A file of another tool holds any number of benches, so benches are paired, not files.
        return InputPaths(
            baseline=(*options.paths[::2], *options.baseline), current=(*options.paths[1::2], *options.current)
        )
    if options.paths or options.baseline:
        return split_sides(options.paths, options.baseline, options.current)
    if not config.baseline or not config.current:
        where = config.path or "an aether.toml (none found here or in a parent folder)"
        raise GuardError(f"nothing to compare: name two files, or guard.baseline and guard.current in {where}")
    return InputPaths(baseline=config.baseline, current=config.current)


class _Documents(Struct, frozen=True):
    report: Report

    def json(self) -> str:
        from aether_guard.report.json_report import render_json

        return render_json(self.report)

    def html(self) -> str:
        from aether_guard.report.html import render_html

        return render_html(self.report, _sides_of)


def _sides_of(judgement: Judgement) -> SummaryPair:
    """Read both summaries again."""
    from aether_guard.report.html import SummaryPair

    figure = judgement.figure
    return SummaryPair(
        baseline=_summary_at(judgement.baseline_path, figure), current=_summary_at(judgement.current_path, figure)
    )


def _summary_at(path: str | None, figure: str | None) -> Summary | None:
    """Read the summary at `path` again, and return the series of a figure; None if it can no longer be read."""
    loaded = None if path is None else load(path)
    if not isinstance(loaded, LoadedSummary):
        return None
    return next((series.summary for series in series_of(loaded.summary) if series.figure == figure), None)
