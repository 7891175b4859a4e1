"""`aether-guard bisect`."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import TYPE_CHECKING

from aether_compare.cli.options import add_setup, add_suite
from aether_guard.check.verdict import EXIT_INCONCLUSIVE, EXIT_PASS
from aether_guard.cli.options import Commands, add_command, percentage_argument
from aether_guard.cli.output import check_writable
from aether_guard.errors import GuardError
from aether_schema import write_atomically

if TYPE_CHECKING:
    from aether_compare.bisect.bisection import BisectResult

DEFAULT_GATE = 0.02
DEFAULT_ALPHA = 0.001
DEFAULT_MAX_TIME_S = 60.0
EVIDENCE = "target/bisect"

EXAMPLE = """example:
  aether-guard bisect packaging --good v1.2 --bad main
  aether-guard bisect 'bench/test_io.py::test_parse' --good v1.2 \\
      --from pytest-benchmark --run 'pytest bench --benchmark-json {out}'

Each commit is measured against the good end by `aether-guard ab`, by turns on
this machine, so that only the code differs. A search that was broken
off goes on where it was when it is started again.

exit status: 0 found; 2 the ends are not as said, or cannot be measured; 3 more
than one commit is left, since those between cannot be judged
"""


def register(commands: Commands[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    about = "find the commit with which a bench became worse"
    parser = add_command(commands, "bisect", about, EXAMPLE, run)
    parser.add_argument(
        "bench", metavar="BENCH", help="a bench's id or short name, FILE.py::ID, or a benchmark of the suite"
    )
    parser.add_argument("--good", required=True, metavar="REV", help="where it was good")
    parser.add_argument("--bad", default="HEAD", metavar="REV", help="where it is worse; %(default)s")
    parser.add_argument(
        "--gate",
        type=percentage_argument,
        metavar="5%",
        help="worsening that counts; 2%% between the ends, then half of the change there, at most 100%%",
    )
    parser.add_argument(
        "--alpha", type=_chance, default=DEFAULT_ALPHA, metavar="0.001", help="of a wrong answer, each; %(default)g"
    )
    parser.add_argument("--quantile", choices=("p50", "p95"), default="p50", help="which figure; %(default)s")
    parser.add_argument(
        "--max-time", type=_seconds, default=DEFAULT_MAX_TIME_S, metavar="S", help="seconds a commit; %(default)g"
    )
    parser.add_argument("-p", "--param", action="append", default=[], metavar="BENCH.KEY=VALUE", help="of the bench")
    parser.add_argument("--cpus", metavar="0,1", help="CPUs to use; the first is the workers'")
    parser.add_argument("--evidence", default=EVIDENCE, metavar="DIR", help="where findings are kept; %(default)s")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="of the report; %(default)s")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the report there")
    suite = parser.add_argument_group("a benchmark of any suite")
    add_suite(suite)
    suite.add_argument("--from", dest="source", metavar="FORMAT", help="the format of the suite's results")
    add_setup(suite)
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")


def run(options: argparse.Namespace) -> int:
    """Search, report, and return whether one commit is left."""
    from aether_compare.bisect.bisection import bisect
    from aether_compare.bisect.findings import FindingStore
    from aether_compare.bisect.judge import AbJudge, BisectSpec
    from aether_compare.vcs.repository import find_repository, resolve
    from aether_harness.machine.signals import ended_on_request

    if options.output:
        check_writable(options.output)
    repository = find_repository(".")
    ends = resolve(repository, options.good), resolve(repository, options.bad)
    more = [word for param in options.param for word in ("--param", param)]
    terms = BisectSpec(
        bench=options.bench,
        good=ends[0].commit,
        gate=DEFAULT_GATE if options.gate is None else options.gate,
        alpha=options.alpha,
        quantile=options.quantile,
        max_time_s=options.max_time,
        suite=_suite_options(options),
        options=(*more, *(("--cpus", options.cpus) if options.cpus else ())),
    )
    question = [repository.root, repository.prefix, terms.bench, terms.good, terms.alpha, terms.quantile, more]
    if terms.suite:
        question.append(terms.suite)
    evidence = FindingStore(options.evidence, terms.bench, question)

    def say(line: str) -> None:
        if not options.quiet:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()

    with ended_on_request():
        try:
            found = bisect(
                repository,
                ends,
                terms,
                AbJudge(evidence.pairs_at),
                evidence,
                say=say,
                fixed_gate=options.gate is not None,
            )
        except KeyboardInterrupt:
            raise GuardError(
                f"interrupted; what was found is kept in {evidence.folder}, and the same command goes on from there"
            ) from None
    rendered = _rendered(found, options.format)
    if options.output:
        write_atomically(options.output, rendered.encode(errors="backslashreplace"))
    else:
        sys.stdout.write(rendered)
    return EXIT_PASS if len(found.suspects) == 1 else EXIT_INCONCLUSIVE


def _suite_options(options: argparse.Namespace) -> tuple[str, ...]:
    """Return the options of `ab` that run the suite; with `--each` only the bench of the suite.

    Raises:
        GuardError: `--each` without a suite.

    """
    from aether_compare.suite import SUITES

    if options.run is None and options.suite is None:
        if options.each is not None or options.source is not None or options.results is not None:
            raise GuardError("--each, --from and --results go with --run or --suite")
        return ()
    chosen: list[str] = []
    run = options.run
    if options.each is not None:
        run = options.each.replace("{bench}", shlex.quote(options.bench))
    for option, value in (
        ("--run", run),
        ("--suite", options.suite if run is None else None),
        ("--from", options.source or (None if options.suite is None or run is None else SUITES[options.suite][1])),
        ("--results", options.results),
    ):
        if value is not None:
            chosen += [option, value]
    return (*chosen, *(word for command in options.setup for word in ("--setup", command)))


def _rendered(found: BisectResult, form: str) -> str:
    from aether_compare.bisect.report import render_json, render_text

    return render_json(found) if form == "json" else render_text(found)


def _chance(text: str) -> float:
    return _between(text, 1.0, "a chance between 0 and 1, such as 0.001")


def _seconds(text: str) -> float:
    return _between(text, float("inf"), "a positive number of seconds")


def _between(text: str, limit: float, wanted: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number < limit:
        raise argparse.ArgumentTypeError(f"{text!r}: takes {wanted}")
    return number
