"""`aether-guard check`."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aether_guard.annotation import render_annotations
from aether_guard.command.form import EXIT_STATUSES, Commands, add_command, add_policy, add_sides, book_of, complain
from aether_guard.config import Config, find_config
from aether_guard.error import GuardError
from aether_guard.pairing import Sides, judge_sides, split_sides
from aether_guard.source import Loaded, load
from aether_guard.terminal import adorn, terminal_of_stdout
from aether_guard.text import render_text
from aether_guard.verdict import EXIT_PASS, build_report
from aether_schema import write_atomically

if TYPE_CHECKING:
    import argparse

    from aether_guard.verdict import Report
    from aether_schema import Summary

FORMATS = ("text", "json", "markdown", "html", "junit")
#: Formats that a program reads: nothing else may stand in the same stream.
DOCUMENTS = {"json", "html", "junit"}

EXAMPLE = """examples:
  aether-guard check
    compares the files that aether.toml names
  aether-guard check baseline/bench-pack.json target/benchmarks/bench-pack.json
  aether-guard check --baseline baseline --current target/benchmarks --gate 10%
    pairs the summaries of two folders by their bench_id

"""


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    about = "compare current summaries with baselines"
    parser = add_command(commands, "check", about, EXAMPLE + EXIT_STATUSES, execute)
    parser.add_argument(
        "paths", nargs="*", metavar="BASELINE CURRENT", help="in turn; each a file, a folder of *.json, or a glob"
    )
    add_sides(parser)
    add_policy(parser)
    parser.add_argument("--strict", action="store_true", help="exit 3 where the evidence is inconclusive")
    parser.add_argument("--format", choices=FORMATS, default="text", help="of the report; %(default)s")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the report there")
    parser.add_argument(
        "--annotations", choices=("auto", "never"), default="auto", help="::warning lines for regressions; %(default)s"
    )


def execute(options: argparse.Namespace) -> int:
    """Compare, report, and return the exit status of the worst verdict."""
    config = find_config(".")
    book = book_of(options, config)
    judgements = judge_sides(_sides(options, config), book, datetime.now(UTC).date())
    if not judgements:
        raise GuardError("nothing to compare")
    bounded = any(judgement.interval is not None for judgement in judgements)
    report = build_report(judgements, strict=options.strict, level=book.level if bounded else None)
    _deliver(report, options)
    return report.exit_code


def _sides(options: argparse.Namespace, config: Config) -> Sides:
    if len(options.paths) % 2:
        raise GuardError(f"paths come in pairs, BASELINE CURRENT; {options.paths[-1]} has no partner")
    if bool(options.baseline) != bool(options.current):
        raise GuardError("--baseline and --current go together")
    if options.paths or options.baseline:
        return split_sides(options.paths, options.baseline, options.current)
    if not config.baseline or not config.current:
        where = config.path or "an aether.toml (none found from here upwards)"
        raise GuardError(f"nothing to compare: name two files, or guard.baseline and guard.current in {where}")
    return Sides(baseline=config.baseline, current=config.current)


def _deliver(report: Report, options: argparse.Namespace) -> None:
    """Put the report where it was asked for, its annotations beside it, and a copy in the step summary."""
    rendered = _rendered(report, options.format)
    if options.output:
        write_atomically(options.output, rendered.encode(errors="backslashreplace"))
    # What a program reads from the standard output stays one document; hosts read commands from both streams.
    for_program = options.format in DOCUMENTS and not options.output
    if not options.output:
        terminal = terminal_of_stdout() if options.format == "text" else None
        sys.stdout.write(rendered if terminal is None else adorn(rendered, report, terminal))
    elif report.exit_code != EXIT_PASS or options.format != "text":
        sys.stdout.write(render_text(report))
    if options.annotations != "never":
        stream = sys.stderr if for_program else sys.stdout
        stream.write(render_annotations(report))
    if options.output or options.format != "text" or not (sys.stdout.isatty() and sys.stderr.isatty()):
        # On a terminal they would stand there twice.
        for judgement in report.benches:
            if judgement.verdict == "error":
                complain(judgement.reason)
    _append_step_summary(report)


def _rendered(report: Report, form: str) -> str:
    """Return the report in a form; what a form needs is imported with it, for most runs need none of it."""
    if form == "json":
        from aether_guard.machine import render_json

        return render_json(report)
    if form == "markdown":
        from aether_guard.markdown import render_markdown

        return render_markdown(report)
    if form == "html":
        from aether_guard.html import render_html

        return render_html(report, _summary_at)
    if form == "junit":
        from aether_guard.junit import render_junit

        return render_junit(report)
    return render_text(report)


def _summary_at(path: str) -> Summary | None:
    """Return the summary in a file that was read before, unless it has gone since."""
    loaded = load(path)
    return loaded.summary if isinstance(loaded, Loaded) else None


def _append_step_summary(report: Report) -> None:
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    try:
        with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(_rendered(report, "markdown"))
    except OSError as error:
        # The verdict stands without its copy.
        complain(f"the step summary {path} cannot be written: {(error.strerror or str(error)).lower()}")
