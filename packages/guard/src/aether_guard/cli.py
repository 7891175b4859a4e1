"""`aether-guard`: parse, call, print, and turn errors into exit statuses."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from aether_guard.__about__ import __version__
from aether_guard.annotation import render_annotations
from aether_guard.config import Config, find_config
from aether_guard.error import GuardError
from aether_guard.figure import figure, parse_percentage, percentage
from aether_guard.pairing import Sides, judge_sides, split_sides
from aether_guard.policy import PolicyBook, Wishes
from aether_guard.source import load_all
from aether_guard.terminal import adorn, terminal_of_stdout
from aether_guard.text import render_text
from aether_guard.verdict import EXIT_ERROR, EXIT_PASS, build_report
from aether_schema import SchemaError, printable, write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_guard.verdict import Report

EXIT_STATUSES = """exit status:
  0  no regression
  1  at least one regression
  2  usage, a missing or invalid file, a bench that cannot be compared (outranks 1)
  3  with --strict: inconclusive
"""

CHECK_EXAMPLE = """examples:
  aether-guard check
    compares the files that aether.toml names
  aether-guard check baseline/bench-pack.json target/benchmarks/bench-pack.json
  aether-guard check --baseline baseline --current target/benchmarks --gate 10%
    pairs the summaries of two folders by their bench_id

"""

VALIDATE_EXAMPLE = """example:
  aether-guard validate target/benchmarks 'baselines/**/*.json'

exit status: 0 every file is a valid summary; 2 one is not, or is missing
"""

SCHEMA_EXAMPLE = """example:
  aether-guard schema > summary.schema.json
"""

LEAST_RUNS = 2
DEFAULT_SLOWDOWNS = (0.1, 0.3, 0.4)

NOISE_EXAMPLE = """example:
  aether-bench noise packaging --runs 40
  aether-guard noise target/noise/noise-pack.jsonl --gate 5% --quantile p50
"""

POLICY_EXAMPLE = """example:
  aether-guard policy packaging --gate 10%
"""

PROMOTE_EXAMPLE = """example:
  aether-guard promote packaging --reason 'level 9 is worth its time'
  aether-guard promote --improved

exit status: 0 written; 2 a file is missing or invalid, and nothing was written
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `aether-guard` and return its exit status."""
    if not _usable_streams():
        return EXIT_ERROR
    options = _parser().parse_args(arguments)
    try:
        status: int = options.command(options)
        sys.stdout.flush()
    except (GuardError, SchemaError) as error:
        for line in str(error).splitlines():
            _complain(line)
        return EXIT_ERROR
    except KeyboardInterrupt:
        _complain("interrupted")
        return 130
    except BrokenPipeError:
        # Whoever read the output has gone; the verdict has not been delivered.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_ERROR
    except OSError as error:
        _complain(f"the output cannot be written: {(error.strerror or str(error)).lower()}")
        return EXIT_ERROR
    return status


def check(options: argparse.Namespace) -> int:
    """Compare, report, and return the exit status of the worst verdict."""
    config = find_config(".")
    book = _book(options, config)
    judgements = judge_sides(_sides(options, config), book, datetime.now(UTC).date())
    if not judgements:
        raise GuardError("nothing to compare")
    bounded = any(judgement.interval is not None for judgement in judgements)
    report = build_report(judgements, strict=options.strict, level=book.level if bounded else None)
    _deliver(report, options)
    return report.exit_code


def policy(options: argparse.Namespace) -> int:
    """Print the policy in force for each bench, and where each value came from."""
    from aether_guard.policy import KEYS, policy_for

    config = find_config(".")
    book = _book(options, config)
    known = options.benches
    if not known:
        loaded, _ = load_all([path for path in (*config.baseline, *config.current) if os.path.exists(path)])
        known = sorted({item.summary.bench_id for item in loaded} | set(book.expected))
    for bench_id in known or ["*"]:
        effective = policy_for(bench_id, book)
        print(printable(bench_id))
        for key in KEYS:
            value = getattr(effective, key)
            shown = percentage(value) if key == "gate" else str(value).lower() if isinstance(value, bool) else value
            print(f"  {key.replace('_', '-'):14} {shown:10} {effective.sources[key]}")
        if effective.waiver is not None:
            waiver = effective.waiver
            print(printable(f"  {'waiver':14} {percentage(waiver.gate):10} until {waiver.expires}: {waiver.reason}"))
    print(f"level {percentage(book.level)}: how often a build in which nothing got worse may go red")
    return EXIT_PASS


def noise(options: argparse.Namespace) -> int:
    """Print how often the policy in force cries wolf over recorded runs, and what it finds."""
    from aether_guard.noise import Question, measure_policy
    from aether_guard.policy import policy_for
    from aether_guard.recording import read_recording

    book = _book(options, find_config("."))
    for path in options.recordings:
        runs = read_recording(path)
        if len(runs) < LEAST_RUNS or len({run.bench_id for run in runs}) > 1:
            raise GuardError(f"{printable(path)}: takes at least {LEAST_RUNS} runs of one bench")
        effective = policy_for(runs[0].bench_id, book)
        slowdowns = options.slowdown or DEFAULT_SLOWDOWNS
        question = Question(slowdowns=slowdowns, wished_rate=options.rate, level=book.level)
        report = measure_policy(runs, effective, question, datetime.now(UTC).date())
        print(printable(f"{report.bench_id}: {report.runs} runs of unchanged code, {report.pairs} ordered pairs"))
        print(f"  policy: {effective.quantile}, gate {percentage(effective.gate)}, level {percentage(book.level)}")
        for outcome in report.outcomes:
            what = f"slowed down by {percentage(outcome.slowdown)}" if outcome.slowdown else "unchanged"
            share = f"{outcome.regressions * 100:6.2f} % regressions, {outcome.inconclusive * 100:6.2f} % inconclusive"
            print(f"  {what:24}{share}")
        tightest = "none of those tried" if report.tightest_gate is None else percentage(report.tightest_gate)
        print(f"  tightest gate with at most {percentage(report.wished_rate)} false alarms: {tightest}")
    return EXIT_PASS


def validate(options: argparse.Namespace) -> int:
    """Say of every file whether it is a valid summary."""
    loaded, problems = load_all(options.paths)
    for item in loaded:
        summary = item.summary
        figures = f"p50 {figure(summary.p50, summary.unit)}, p95 {figure(summary.p95, summary.unit)}, n {summary.n}"
        print(printable(f"ok: {item.path}: {summary.bench_id}: {figures}"))
    for problem in problems:
        _complain(problem.message)
    return EXIT_ERROR if problems else EXIT_PASS


def schema(options: argparse.Namespace) -> int:
    """Print a published JSON Schema."""
    from aether_guard.machine import published_check_schema
    from aether_schema.json_schema import published_schema

    published = published_schema() if options.document == "summary" else published_check_schema()
    sys.stdout.write(published.decode())
    return EXIT_PASS


def promote(options: argparse.Namespace) -> int:
    """Write the current figures over the baselines and say what changed."""
    from aether_guard.promote import beaten, plan_promotions, write_promotions

    config = find_config(".")
    baseline, current = options.baseline or config.baseline, options.current or config.current
    benches, reason = options.benches, options.reason
    if options.improved:
        sides = Sides(baseline=tuple(baseline), current=tuple(current))
        judgements = judge_sides(sides, config.book, datetime.now(UTC).date())
        benches = [bench_id for bench_id in beaten(judgements) if not benches or bench_id in benches]
        reason = reason or "beaten with evidence"
        if not benches:
            print("no baseline was beaten with evidence; nothing was written")
            return EXIT_PASS
    promotions = plan_promotions(baseline, current, benches, reason or "")
    write_promotions(promotions)
    for promotion in promotions:
        new, old = promotion.summary, promotion.replaced
        before = "none" if old is None else f"p50 {figure(old.p50, old.unit)}, p95 {figure(old.p95, old.unit)}"
        after = f"p50 {figure(new.p50, new.unit)}, p95 {figure(new.p95, new.unit)}"
        print(printable(f"{new.bench_id}: {before} -> {after}: {promotion.path}"))
    return EXIT_PASS


def _book(options: argparse.Namespace, config: Config) -> PolicyBook:
    """Return the file's policies with the command line's over them."""
    wishes = Wishes(
        gate=options.gate,
        quantile=options.quantile,
        warn_only=options.warn_only or None,
        evidence=options.evidence,
        host_mismatch=options.host_mismatch,
    )
    expected = (*config.book.expected, *options.expect)
    return replace(config.book, overriding=(("command line", wishes),), expected=expected)


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
    for_program = options.format == "json" and not options.output
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
                _complain(judgement.reason)
    _append_step_summary(report)


def _rendered(report: Report, form: str) -> str:
    if form == "json":
        from aether_guard.machine import render_json

        return render_json(report)
    if form == "markdown":
        from aether_guard.markdown import render_markdown

        return render_markdown(report)
    return render_text(report)


def _append_step_summary(report: Report) -> None:
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    try:
        with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(_rendered(report, "markdown"))
    except OSError as error:
        # The verdict stands without its copy.
        _complain(f"the step summary {path} cannot be written: {(error.strerror or str(error)).lower()}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aether-guard",
        description="Compares benchmark summaries with a baseline and fails the build on a regression.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EXIT_STATUSES,
    )
    parser.add_argument("--version", action="version", version=f"aether-guard {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_check(commands)

    validating = _command(commands, "validate", "say of files whether they are valid summaries", VALIDATE_EXAMPLE)
    validating.add_argument("paths", nargs="+", metavar="FILE", help="a file, a folder of *.json, or a glob")
    validating.set_defaults(command=validate)

    about = "say how often the policy cries wolf over recorded runs"
    measuring = _command(commands, "noise", about, NOISE_EXAMPLE)
    measuring.add_argument(
        "recordings", nargs="+", metavar="RECORDING", help="JSON lines of aether-bench noise, or a folder of summaries"
    )
    measuring.add_argument(
        "--slowdown", type=_percentage, action="append", metavar="30%%", help="put in, to be found; 10%%, 30%%, 40%%"
    )
    measuring.add_argument(
        "--rate", type=_percentage, default=0.002, metavar="0.2%%", help="the share of false alarms wished for; 0.2%%"
    )
    _add_policy(measuring)
    measuring.set_defaults(command=noise)

    telling = _command(commands, "policy", "print the policy of each bench and where it comes from", POLICY_EXAMPLE)
    telling.add_argument("benches", nargs="*", metavar="BENCH", help="a bench_id; all whose files are found")
    _add_policy(telling)
    telling.set_defaults(command=policy)

    printing = _command(commands, "schema", "print the JSON Schema of a summary or of a report", SCHEMA_EXAMPLE)
    printing.add_argument(
        "document", nargs="?", choices=("summary", "check"), default="summary", help="which one; %(default)s"
    )
    printing.set_defaults(command=schema)

    promoting = _command(commands, "promote", "make current figures the baseline", PROMOTE_EXAMPLE)
    promoting.add_argument("benches", nargs="*", metavar="BENCH", help="a bench_id; all that have a current file")
    promoting.add_argument("--reason", metavar="TEXT", help="why; kept in the baseline's notes")
    promoting.add_argument(
        "--improved", action="store_true", help="only those whose samples show that they were beaten: a ratchet"
    )
    _add_sides(promoting)
    promoting.set_defaults(command=promote)
    return parser


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    checking = _command(commands, "check", "compare current summaries with baselines", CHECK_EXAMPLE + EXIT_STATUSES)
    checking.add_argument(
        "paths", nargs="*", metavar="BASELINE CURRENT", help="in turn; each a file, a folder of *.json, or a glob"
    )
    _add_sides(checking)
    _add_policy(checking)
    checking.add_argument("--strict", action="store_true", help="exit 3 where the evidence is inconclusive")
    checking.add_argument(
        "--format", choices=("text", "json", "markdown"), default="text", help="of the report; %(default)s"
    )
    checking.add_argument("-o", "--output", metavar="FILE", help="write the report there")
    checking.add_argument(
        "--annotations", choices=("auto", "never"), default="auto", help="::warning lines for regressions; %(default)s"
    )
    checking.set_defaults(command=check)


def _add_policy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--gate", type=_percentage, metavar="20%%", help="the worsening that counts as a regression; 20%%"
    )
    parser.add_argument("--quantile", choices=("p50", "p95"), help="which figure is judged; p95")
    parser.add_argument("--warn-only", action="store_true", help="report regressions, but exit 0 for them")
    parser.add_argument(
        "--evidence", choices=("any", "samples", "ruler"), help="what every bench must bring, or be an error; any"
    )
    parser.add_argument(
        "--host-mismatch",
        choices=("ignore", "warn", "error"),
        help="what to do when the machines differ; warn: compare by the ruler, else call it inconclusive",
    )
    parser.add_argument("--expect", action="append", default=[], metavar="BENCH", help="an error if it is not there")


def _add_sides(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--baseline", nargs="+", action="extend", default=[], metavar="PATH", help="baselines")
    parser.add_argument("--current", nargs="+", action="extend", default=[], metavar="PATH", help="current summaries")


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, about: str, example: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=about,
        description=about[:1].upper() + about[1:] + ".",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=example,
    )


def _percentage(text: str) -> float:
    try:
        return parse_percentage(text)
    except GuardError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _usable_streams() -> bool:
    """Make both streams able to show any character; return whether there is an output to write to."""
    for name in ("stdout", "stderr"):
        if (stream := getattr(sys, name)) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - as long as the process
            if name == "stdout":
                print("aether-guard: error: the standard output is closed", file=sys.stderr or sys.__stderr__)
                return False
        else:
            # A terminal or a log that cannot show a character shows its escape; a gate does not fail on it.
            stream.reconfigure(errors="backslashreplace")
    return True


def _complain(message: str) -> None:
    print(f"aether-guard: error: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
