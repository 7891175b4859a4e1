"""`aether-bench`: parse, call, print, and turn errors into exit statuses."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

from aether_harness.__about__ import __version__
from aether_harness.affinity import allowed_cpus, assign_cpus, pin
from aether_harness.error import HarnessError, UsageError
from aether_harness.parameter import Settings, build_params, params_as_scalars, parse_settings, suggestion
from aether_harness.plan import DEFAULT_PROFILE, PROFILES, Plan, adjusted_profile
from aether_harness.progress import aligned_table, observing, results_table
from aether_harness.registry import installed_benches, select_benches
from aether_harness.run import Outcome, Target, run_targets
from aether_harness.summarise import summarise
from aether_schema import UNIT_OF_METRIC, SummaryFileError, write_summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msgspec import Struct

    from aether_harness.registry import Found
    from aether_schema import Summary

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
DEFAULT_FOLDER = "target/benchmarks"

EXIT_STATUSES = """exit status:
  0    every bench ran and its summary was written
  1    a bench failed; the summaries of the others were written
  2    usage: an unknown bench or parameter, a folder that cannot be written
  130  interrupted; nothing was written that was not finished
"""

RUN_EXAMPLE = """example:
  aether-bench run packaging --profile quick -p pack.files=1000
    measures the packaging of 1,000 files in 2 rounds and writes
    target/benchmarks/bench-pack.json

"""

LIST_EXAMPLE = """example:
  aether-bench list
    packaging  pack  duration_ms  ...
"""


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM): everything is torn down as for a Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `aether-bench` and return its exit status."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        status: int = options.command(options)
        sys.stdout.flush()
    except UsageError as error:
        return _fail(error, EXIT_USAGE)
    except (HarnessError, SummaryFileError) as error:
        return _fail(error, EXIT_FAILED)
    except Terminated:
        return _fail("terminated", 128 + signal.SIGTERM)
    except KeyboardInterrupt:
        return _fail("interrupted", 128 + signal.SIGINT)
    except BrokenPipeError:
        # Whoever read the output has gone; nothing is left to say it to, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aether-bench",
        description="Measures benches in fresh worker processes, each pinned to a CPU of its own.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EXIT_STATUSES,
    )
    parser.add_argument("--version", action="version", version=f"aether-bench {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    listing = commands.add_parser(
        "list",
        help="the benches that are installed, with their parameters",
        description="Lists the installed benches, their metric and their parameters with the defaults.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=LIST_EXAMPLE,
    )
    listing.set_defaults(command=list_benches)

    running = commands.add_parser(
        "run",
        help="measure benches and write their summaries",
        description="Measures benches and writes one summary each. Without a name: all that are installed.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=RUN_EXAMPLE + EXIT_STATUSES,
    )
    running.add_argument("benches", nargs="*", metavar="BENCH", help="a bench's id or short name")
    sizes = ", ".join(f"{name}: {p.rounds} rounds of {p.samples}" for name, p in PROFILES.items())
    running.add_argument(
        "--profile", choices=PROFILES, default=DEFAULT_PROFILE, help=f"how much is measured ({sizes}); %(default)s"
    )
    running.add_argument("--rounds", type=int, metavar="N", help="fresh worker processes a bench")
    running.add_argument("--samples", type=int, metavar="N", help="samples a round")
    running.add_argument("-w", "--warmups", type=int, metavar="N", help="samples a round that are thrown away first")
    running.add_argument(
        "--cpus", "--affinity", type=_cpu_list, default=(), metavar="0,1", help="CPUs to use; the first is the worker's"
    )
    running.add_argument("--seed", type=int, metavar="N", help="of the order of rounds; drawn and printed if not given")
    running.add_argument(
        "--timeout", type=_seconds, default=60.0, metavar="S", help="seconds a set-up or sample may take; %(default)g"
    )
    running.add_argument("--out", default=DEFAULT_FOLDER, metavar="DIR", help="where summaries go; %(default)s")
    running.add_argument(
        "-p", "--param", action="append", default=[], metavar="BENCH.KEY=VALUE", help="set a parameter of a bench"
    )
    running.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")
    running.set_defaults(command=run)
    return parser


def list_benches(_options: argparse.Namespace) -> int:
    """Print the installed benches; a plugin that cannot be loaded is an error, after the others."""
    found, errors = installed_benches()
    rows = [("bench", "name", "metric", "what it measures")]
    rows += [(item.bench.bench_id, item.bench.name, item.bench.metric, item.bench.about) for item in found]
    print(aligned_table(rows))
    for item in found:
        defaults = params_as_scalars(item.bench.params_type())
        print(f"\nparameters of {item.bench.bench_id}, with their defaults:")
        for key, value in defaults.items():
            print(f"  -p {item.bench.name}.{key}={'' if value is None else value}")
    for error in errors:
        _fail(error, EXIT_FAILED)
    return EXIT_FAILED if errors else EXIT_OK


def run(options: argparse.Namespace) -> int:
    """Measure, write a summary a bench that finished, and print the table."""
    targets = _targets(options.benches, options.param)
    profile = adjusted_profile(options.profile, rounds=options.rounds, samples=options.samples, warmups=options.warmups)
    plan = Plan(
        profile=profile,
        seed=secrets.randbelow(2**32) if options.seed is None else options.seed,
        assignment=assign_cpus(allowed_cpus(), options.cpus),
        timeout_s=options.timeout,
    )
    _check_writable(options.out)
    # This process, and whatever it starts but a worker, stays off the worker's CPU.
    pin(plan.assignment.companion_cpus)
    if not options.quiet:
        _announce(plan)
    units = {target.found.bench.bench_id: UNIT_OF_METRIC[target.found.bench.metric] for target in targets}
    with observing(profile, units, quiet=options.quiet) as observer:
        outcomes = run_targets(targets, plan, observer)
    written = [_write(outcome, plan, options.out) for outcome in outcomes if outcome.error is None]
    if written and not options.quiet:
        print(results_table(written))
        for summary, _ in written:
            if summary.notes:
                print(f"{summary.bench_id}: {summary.notes}")
    failed = [outcome.error for outcome in outcomes if outcome.error is not None]
    for error in failed:
        _fail(error, EXIT_FAILED)
    return EXIT_FAILED if failed else EXIT_OK


def _targets(names: Sequence[str], params: Sequence[str]) -> list[Target]:
    settings = parse_settings(params)
    found, errors = installed_benches()
    selected = select_benches(found, names) if found or not errors else []
    if errors and not names:
        raise errors[0]
    if not selected:
        raise UsageError("no bench is installed: install aether-pack-bench or aether-stream-bench")
    known = {name for item in selected for name in (item.bench.bench_id, item.bench.name)}
    for name in settings:
        if name not in known:
            raise UsageError(f"-p {name}.…: no such bench in this run{suggestion(name, known)}")
    return [Target(found=item, params=_params(item, settings)) for item in selected]


def _params(item: Found, settings: Settings) -> Struct:
    bench = item.bench
    mine = {**settings.get(bench.bench_id, {}), **settings.get(bench.name, {})}
    return build_params(bench.params_type, bench.name, mine)


def _write(outcome: Outcome, plan: Plan, folder: str) -> tuple[Summary, str]:
    summary = summarise(outcome.target, outcome.rounds, plan, ended=datetime.now(UTC), commit=_commit())
    path = os.path.join(folder, f"bench-{outcome.target.found.bench.name}.json")
    write_summary(path, summary)
    return summary, path


def _announce(plan: Plan) -> None:
    worker, companions = plan.assignment.worker_cpus, plan.assignment.companion_cpus
    where = plan.assignment.note or f"worker on CPU {worker[0]}, everything else on {','.join(map(str, companions))}"
    print(f"seed {plan.seed}; {where}", file=sys.stderr)


def _check_writable(folder: str) -> None:
    """Find out before the measuring, not after it."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {folder}: {(error.strerror or str(error)).lower()}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"--out {folder}: cannot be written")


def _commit() -> str | None:
    """Return the commit of the working folder, with `-dirty` behind it if files were changed since."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude", "*"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None


def _cpu_list(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: write CPU numbers with commas, for example 0,1") from None


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError("takes a positive number of seconds")
    return seconds


def _fail(error: object, status: int) -> int:
    print(f"aether-bench: {error}", file=sys.stderr)
    return status


def _terminate(_number: int, _frame: object) -> NoReturn:
    raise Terminated


if __name__ == "__main__":
    sys.exit(main())
