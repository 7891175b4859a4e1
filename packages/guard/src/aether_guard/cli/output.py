"""Write a report to stdout or a file, its annotations, and a copy in the step summary."""

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
#: Formats for programs: nothing else may be written to the same stream.
DOCUMENTS = {"json", "markdown", "html", "junit"}
#: Set by CI hosts that show workflow commands as annotations.
_CI_VARIABLES = ("CI", "GITHUB_ACTIONS")


class ReportRenderer(Protocol):
    """Renders the formats that need more than the report itself, on demand."""

    def json(self) -> str:
        """Return the report as one JSON object."""

    def html(self) -> str:
        """Return the report as a self-contained HTML page."""


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the report: strictness, format, file and annotations."""
    parser.add_argument("--strict", action="store_true", help="exit 3 if a verdict is inconclusive")
    parser.add_argument("--format", choices=FORMATS, default="text", help="format of the report [default: %(default)s]")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the report to this file [default: stdout]")
    parser.add_argument(
        "--annotations",
        choices=("auto", "never"),
        default="auto",
        help="::warning lines for regressions [default: %(default)s]",
    )


def check_writable(path: str) -> None:
    """Check before a long measurement that its results can be written to the file `path`.

    Raises:
        GuardError: `path` cannot be written.

    """
    folder = os.path.dirname(path) or "."
    if os.path.exists(path) and not os.path.isfile(path):
        raise GuardError(f"{printable(path)}: cannot be written: not a regular file")
    while not os.path.exists(folder):
        folder = os.path.dirname(folder) or "."  # created when the file is written
    if not (os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)):
        raise GuardError(f"{printable(path)}: cannot be written: {printable(folder)} is not a writable folder")


def write_report(report: Report, options: argparse.Namespace, documents: ReportRenderer) -> None:
    """Write the report, its annotations, and a copy in the step summary."""
    rendered = _rendered(report, options.format, documents)
    if options.output:
        write_atomically(options.output, rendered.encode(errors="backslashreplace"))
    # A document on stdout stays alone; CI hosts read commands from both streams.
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
        # On a terminal the text report shows errors.
        for judgement in report.benches:
            if judgement.verdict == "error":
                print_error(judgement.reason)
    _append_step_summary(report, documents)


def _annotations_are_read() -> bool:
    """Return whether a CI host may read the output: in CI, or if stdout is not a terminal."""
    return any(map(os.environ.get, _CI_VARIABLES)) or not sys.stdout.isatty()


def _rendered(report: Report, form: str, documents: ReportRenderer) -> str:
    """Return the report in the format `form`; renderers are imported only when used."""
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
        # The verdict does not depend on the copy.
        print_error(f"the step summary {path} cannot be written: {(error.strerror or str(error)).lower()}")
