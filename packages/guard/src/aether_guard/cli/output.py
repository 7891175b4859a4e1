"""Where a report goes: the standard output or a file, annotations beside it, a copy in the step summary."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Protocol

from aether_guard.check.verdict import EXIT_PASS
from aether_guard.cli.options import print_error
from aether_guard.errors import GuardError
from aether_guard.report.annotations import render_annotations
from aether_guard.report.terminal import decorate, stdout_capabilities
from aether_guard.report.text import render_text
from aether_schema import printable, write_atomically

if TYPE_CHECKING:
    import argparse

    from aether_guard.check.verdict import Report

FORMATS = ("text", "json", "markdown", "html", "junit")
#: Formats that a program reads: nothing else may stand in the same stream.
DOCUMENTS = {"json", "markdown", "html", "junit"}
#: Set by hosts that show workflow commands as annotations, whatever the standard output is.
_CI_VARIABLES = ("CI", "GITHUB_ACTIONS")


class ReportRenderer(Protocol):
    """The forms of a report that hold more than the report, made only when they are asked for."""

    def json(self) -> str:
        """Return it as one JSON object."""

    def html(self) -> str:
        """Return it as an HTML page of one file."""


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say in which form a report goes where, and what fails beside a regression."""
    parser.add_argument("--strict", action="store_true", help="exit 3 where the evidence is inconclusive")
    parser.add_argument("--format", choices=FORMATS, default="text", help="of the report; %(default)s")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the report there")
    parser.add_argument(
        "--annotations", choices=("auto", "never"), default="auto", help="::warning lines for regressions; %(default)s"
    )


def check_writable(path: str) -> None:
    """Find out before a long measurement, and not after it, that its results cannot be written to the file `path`.

    Raises:
        GuardError: they cannot.

    """
    folder = os.path.dirname(path) or "."
    if os.path.exists(path) and not os.path.isfile(path):
        raise GuardError(f"{printable(path)}: cannot be written: not a regular file")
    while not os.path.exists(folder):
        folder = os.path.dirname(folder) or "."  # it is made when it is wanted
    if not (os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)):
        raise GuardError(f"{printable(path)}: cannot be written: {printable(folder)} is no folder to write to")


def write_report(report: Report, options: argparse.Namespace, documents: ReportRenderer) -> None:
    """Put the report where it was asked for, its annotations beside it, and a copy in the step summary."""
    rendered = _rendered(report, options.format, documents)
    if options.output:
        write_atomically(options.output, rendered.encode(errors="backslashreplace"))
    # What a program reads from the standard output stays one document; hosts read commands from both streams.
    for_program = options.format in DOCUMENTS and not options.output
    if options.format == "text" and not options.output:
        terminal = stdout_capabilities()
        shown = render_text(report, with_errors=sys.stdout.isatty())
        sys.stdout.write(shown if terminal is None else decorate(shown, report, terminal))
    elif not options.output:
        sys.stdout.write(rendered)
    elif report.exit_code != EXIT_PASS or options.format != "text":
        sys.stdout.write(render_text(report, with_errors=sys.stdout.isatty()))
    if options.annotations != "never" and _annotations_are_read():
        stream = sys.stderr if for_program else sys.stdout
        stream.write(render_annotations(report))
    if for_program or not (sys.stdout.isatty() and sys.stderr.isatty()):
        # On a terminal the text has them.
        for judgement in report.benches:
            if judgement.verdict == "error":
                print_error(judgement.reason)
    _append_step_summary(report, documents)


def _annotations_are_read() -> bool:
    """Return whether a host may read the output: on a terminal outside CI, a report stands alone."""
    return any(map(os.environ.get, _CI_VARIABLES)) or not sys.stdout.isatty()


def _rendered(report: Report, form: str, documents: ReportRenderer) -> str:
    """Return the report in a form; what a form needs is imported with it, for most runs need none of it."""
    if form == "json":
        return documents.json()
    if form == "html":
        return documents.html()
    if form == "markdown":
        from aether_guard.report.markdown import render_markdown

        return render_markdown(report)
    if form == "junit":
        from aether_guard.report.junit import render_junit

        return render_junit(report)
    return render_text(report)


def _append_step_summary(report: Report, documents: ReportRenderer) -> None:
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    try:
        with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(_rendered(report, "markdown", documents))
    except OSError as error:
        # The verdict stands without its copy.
        print_error(f"the step summary {path} cannot be written: {(error.strerror or str(error)).lower()}")
