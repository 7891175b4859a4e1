"""`aether-guard trend`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from aether_guard.check.verdict import EXIT_ERROR, EXIT_PASS
from aether_guard.cli.options import Commands, add_command, percentage_argument, print_error
from aether_guard.cli.output import check_writable
from aether_guard.errors import GuardError
from aether_history.cli.record import add_history
from aether_schema import printable, write_atomically

if TYPE_CHECKING:
    import argparse

    from aether_history.analysis import HistoryReport

FORMATS = ("text", "json", "markdown", "html")

EXAMPLE = """examples:
  aether-guard trend
    every bench of target/history
  aether-guard trend 'pack*' --branch main --format html -o trend.html
  aether-guard trend --history s3://bucket/history \\
                     --scheduler tcp://192.0.2.1:8786

exit status: 0 shown, whatever changed; 2 a part of the history could not be
read, and the rest is shown
"""


def register(commands: Commands[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    about = "show when benches of a history changed, and with which commits"
    parser = add_command(commands, "trend", about, EXAMPLE, run)
    parser.add_argument("benches", nargs="*", metavar="BENCH", help="a bench_id or a glob; all")
    add_history(parser)
    parser.add_argument("--branch", metavar="NAME", help="only runs of this branch")
    parser.add_argument("--quantile", choices=("p50", "p95"), default="p50", help="which figure; %(default)s")
    parser.add_argument(
        "--confidence",
        type=percentage_argument,
        default=0.99,
        metavar="99%",
        help="changes less sure than this are not shown; 99%%",
    )
    parser.add_argument(
        "--renamed", action="append", default=[], metavar="OLD=NEW", help="a bench that had another name before"
    )
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster that searches; tcp://…")
    parser.add_argument(
        "--repository-url", metavar="URL", help="where commits can be looked at; made of the remote origin"
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="of the report; %(default)s")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the report there")


def run(options: argparse.Namespace) -> int:
    """Read, search and print."""
    from aether_history.store import open_store

    if not 0 < options.confidence < 1:
        raise GuardError("--confidence: takes a share between 0 and 100 %, such as 99%")
    if options.output:
        check_writable(options.output)
    store = open_store(options.history)
    from aether_history.analysis import HistoryQuery, analyze, parse_renames

    asked = HistoryQuery(
        benches=tuple(options.benches),
        branch=options.branch,
        quantile=options.quantile,
        confidence=options.confidence,
        renamed=dict(parse_renames(options.renamed)),
        scheduler=options.scheduler,
    )
    course = analyze(store, asked, _repository(options), lambda line: sys.stderr.write(f"{line}\n"))
    rendered = _rendered(course, options.format)
    if options.output:
        write_atomically(options.output, rendered.encode(errors="backslashreplace"))
    else:
        sys.stdout.write(rendered)
    for problem in course.problems:
        print_error(problem)
    return EXIT_ERROR if course.problems else EXIT_PASS


def _repository(options: argparse.Namespace) -> str | None:
    """Return the web address of the repository: only reports with links want it."""
    if options.repository_url is not None:
        url: str = options.repository_url.rstrip("/")
        if not url.startswith(("https://", "http://")) or any(character in url for character in "<>\"' \n()"):
            raise GuardError(
                f"--repository-url {printable(url)}: takes an address such as https://github.com/owner/name"
            )
        return url
    if options.format == "text":
        return None
    from aether_history.commits import repository_url

    return repository_url()


def _rendered(course: HistoryReport, form: str) -> str:
    if form == "json":
        from aether_history.report.text import render_json

        return render_json(course)
    if form == "markdown":
        from aether_history.report.markdown import render_markdown

        return render_markdown(course)
    if form == "html":
        from aether_history.report.html import render_html

        return render_html(course)
    from aether_history.report.text import render_text

    return render_text(course)
