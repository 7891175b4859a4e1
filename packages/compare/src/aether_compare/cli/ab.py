"""`aether-guard ab`."""

from __future__ import annotations

import argparse
import secrets
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from aether_compare.cli.options import add_setup, add_suite
from aether_guard.cli.import_options import add_importing, import_options, refuse_import_options
from aether_guard.cli.options import EXIT_STATUSES, Commands, add_command, percentage_argument
from aether_guard.cli.output import add_output_options, check_writable, write_report
from aether_guard.config import find_config
from aether_guard.errors import GuardError
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from aether_compare.scheduler import Comparison
    from aether_compare.settings import VariantPair
    from aether_compare.suite import Suite

DEFAULT_GATE = 0.02
DEFAULT_ALPHA = 0.001
DEFAULT_MAX_TIME_S = 60.0

EXAMPLE = """examples:
  aether-guard ab packaging --base origin/main
    the working tree against that revision, each in an environment of its own
  aether-guard ab packaging -A pack.level=1 -B pack.level=6
    two settings of one bench
  aether-guard ab --exec-a 'gzip -c {input}' --exec-b 'pigz -c {input}' \\
                  --input big.tar
    two commands, in any language
  aether-guard ab --base origin/main --suite pytest-benchmark
    every benchmark of a suite, by whole runs of the suite

"""


def register(commands: Commands[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    about = "compare two versions, interleaved, until the evidence suffices"
    parser = add_command(commands, "ab", about, EXAMPLE + EXIT_STATUSES, run)
    parser.add_argument(
        "benches", nargs="*", metavar="BENCH", help="a bench's id or short name, FILE.py, FILE.py::ID or a folder"
    )
    parser.add_argument(
        "--all", action="store_true", help="every bench that the new side has, and those of [ab] benches in aether.toml"
    )
    revisions = parser.add_argument_group("two revisions")
    revisions.add_argument("--base", metavar="REV", help="the old one")
    revisions.add_argument("--head", metavar="REV", help="the new one; the working tree as it is")
    add_setup(revisions)
    parser.add_argument("-p", "--param", action="append", default=[], metavar="BENCH.KEY=VALUE", help="for both sides")
    settings = parser.add_argument_group("two settings of one bench")
    settings.add_argument("-A", action="append", default=[], metavar="KEY=VALUE", dest="old_settings", help="old")
    settings.add_argument("-B", action="append", default=[], metavar="KEY=VALUE", dest="new_settings", help="new")
    programs = parser.add_argument_group("two commands")
    programs.add_argument("--exec-a", metavar="COMMAND", help="the old one")
    programs.add_argument("--exec-b", metavar="COMMAND", help="the new one")
    programs.add_argument("--input", metavar="FILE", help="what {input} in the commands stands for")
    programs.add_argument("--measure", choices=("wall", "cpu", "memory"), default="wall", help="%(default)s")
    programs.add_argument("--prepare", metavar="COMMAND", default="", help="run before every sample, untimed")
    programs.add_argument("--cleanup", metavar="COMMAND", default="", help="run after every sample, untimed")
    programs.add_argument("--ignore-exit-code", action="store_true", help="of the two commands")
    programs.add_argument("--shell", action="store_true", help="have a shell read the commands")
    suite = parser.add_argument_group("two revisions, by runs of any benchmark suite")
    add_suite(suite)
    add_importing(suite)
    rule = parser.add_argument_group("the question")
    rule.add_argument(
        "--gate", type=percentage_argument, metavar="2%", help="the worsening that counts as a regression; 2%%"
    )
    rule.add_argument(
        "--alpha", type=_alpha, metavar="0.001", help="the chance of a false alarm, over all benches; 0.001"
    )
    rule.add_argument("--quantile", choices=("p50", "p95"), help="which figure is judged; p50")
    rule.add_argument(
        "--max-time", type=_seconds, default=DEFAULT_MAX_TIME_S, metavar="S", help="seconds a bench; %(default)g"
    )
    rule.add_argument(
        "--timeout", type=_seconds, default=60.0, metavar="S", help="seconds an import or a sample; %(default)g"
    )
    rule.add_argument(
        "--seed", type=_seed, metavar="N", help="of orders and memory layouts; drawn and printed if not given"
    )
    rule.add_argument("--cpus", type=_cpus, default=(), metavar="0,1", help="CPUs to use; the first is the workers'")
    parser.add_argument("--save", metavar="FILE", help="keep every pair there")
    parser.add_argument("--replay", metavar="FILE", help="decide from the pairs kept there, and measure nothing")
    parser.add_argument("--warn-only", action="store_true", help="report regressions, but exit 0 for them")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    add_output_options(parser)


def run(options: argparse.Namespace) -> int:
    """Compare, report, and return the exit status of the worst verdict."""
    from aether_compare.report import ComparisonReport
    from aether_compare.result import outcome_of, report_of

    mode = _mode(options)
    alpha = DEFAULT_ALPHA if options.alpha is None else options.alpha
    if mode == "replay":
        comparison, seed = _replayed(options)
        alpha = max(item.question.rule.alpha * len(comparison) for item in comparison)
    else:
        seed = secrets.randbelow(2**32) if options.seed is None else options.seed
        comparison = (_measured_suite if mode == "suite" else _measured)(options, mode, alpha, seed)
    outcomes = [outcome_of(item, seed, strict=options.strict, warn_only=options.warn_only) for item in comparison]
    report = report_of(outcomes, strict=options.strict, warn_only=options.warn_only, level=alpha)
    write_report(report, options, ComparisonReport(outcomes, comparison, report))
    return report.exit_code


def _mode(options: argparse.Namespace) -> str:
    """Return which two versions are compared.

    Raises:
        GuardError: none is named, or more than one kind.

    """
    _use_configured_suite(options)
    if options.run is not None or options.suite is not None:
        return _suite_mode(options)
    asked = {
        "revisions": options.base is not None,
        "settings": bool(options.old_settings or options.new_settings),
        "commands": options.exec_a is not None or options.exec_b is not None,
        "replay": options.replay is not None,
    }
    modes = [mode for mode, is_asked in asked.items() if is_asked]
    if len(modes) != 1:
        raise GuardError("say what to compare: --base REV, or -A and -B, or --exec-a and --exec-b, or --replay FILE")
    mode = modes[0]
    if mode == "commands" and (options.exec_a is None or options.exec_b is None):
        raise GuardError("--exec-a and --exec-b go together")
    if mode in {"commands", "replay"} and (options.benches or options.all):
        raise GuardError(f"{(options.benches or ['--all'])[0]}: a bench does not go with --exec-a, nor with --replay")
    if mode == "revisions" and bool(options.benches) == options.all:
        raise GuardError("name the benches to compare, or --all")
    _refuse_misplaced(options, mode)
    return mode


def _use_configured_suite(options: argparse.Namespace) -> None:
    """Take the suite of `[ab]` in `aether.toml` if the command line names a base and nothing to compare."""
    if options.base is None or options.benches or options.all or options.run is not None or options.suite is not None:
        return
    table = find_config(".").ab
    for name in ("run", "suite", "source", "results", "each"):
        if getattr(options, name) is None:
            setattr(options, name, getattr(table, name))


def _refuse_misplaced(options: argparse.Namespace, mode: str) -> None:
    """Refuse options that belong to another mode.

    Raises:
        GuardError: there is such an option.

    """
    for option, is_given in (("--head", options.head is not None), ("--setup", bool(options.setup))):
        if is_given and mode != "revisions":
            raise GuardError(f"{option} goes with --base")
    for option in ("results", "each"):
        if getattr(options, option) is not None:
            raise GuardError(f"--{option} goes with --run")
    if options.source is not None:
        raise GuardError("--from goes with --run")
    refuse_import_options(options)


def _suite_mode(options: argparse.Namespace) -> str:
    """Return the mode of a suite.

    Raises:
        GuardError: an option is missing or does not fit.

    """
    given = "--run" if options.run is not None else "--suite"
    if options.run is not None and options.suite is not None:
        raise GuardError("--run and --suite: give one of them")
    if options.base is None:
        raise GuardError(f"{given} compares two revisions: name the old one by --base")
    if options.run is not None and options.source is None:
        raise GuardError("--run needs --from FORMAT")
    if options.suite is not None and options.source is not None:
        raise GuardError("--suite knows its format: leave out --from")
    if options.benches or options.all:
        raise GuardError(f"{(options.benches or ['--all'])[0]}: a bench does not go with {given}")
    if options.quantile == "p95":
        raise GuardError(f"{given} judges p50 only: one run of a suite has one figure per benchmark")
    return "suite"


def _replayed(options: argparse.Namespace) -> tuple[list[Comparison], int]:
    from aether_compare.replay import replay

    return replay(options.replay, _rule_wishes(options))


def _rule_wishes(options: argparse.Namespace) -> dict[str, object]:
    overrides = {"gate": options.gate, "alpha": options.alpha, "quantile": options.quantile}
    return {key: value for key, value in overrides.items() if value is not None}


def _measured(options: argparse.Namespace, mode: str, alpha: float, seed: int) -> list[Comparison]:
    """Take pairs until all benches are decided or the time is over. The pairs are saved even after an error."""
    from aether_compare.progress import stderr_progress
    from aether_compare.replay import save
    from aether_compare.runner import measure, measurement_settings
    from aether_compare.scheduler import Comparison
    from aether_compare.stats.sequential_test import TestSpec
    from aether_compare.variants import comparison_spec
    from aether_harness.machine.orphans import nothing_outlives
    from aether_harness.machine.signals import ended_on_request
    from aether_harness.worker.layout import can_fix_layouts

    for path in (options.save, options.output):
        if path:
            check_writable(path)
    terms = measurement_settings(options.cpus, options.timeout)
    comparison: list[Comparison] = []
    try:
        with ended_on_request() as hold_off, nothing_outlives(), ExitStack() as stack:
            try:
                matches = stack.enter_context(_matches(options, mode))
                if not options.quiet:
                    where = terms.assignment.note or _where(terms.assignment.worker_cpus)
                    layouts = "" if can_fix_layouts() else "; memory layouts cannot be fixed here, so it takes longer"
                    sys.stderr.write(f"seed {seed}; {where}{layouts}\n")
                rule = TestSpec(
                    gate=DEFAULT_GATE if options.gate is None else options.gate,
                    # The benches share alpha.
                    alpha=alpha / len(matches),
                    quantile=options.quantile or "p50",
                )
                comparison += [Comparison(comparison_spec(match, rule)) for match in matches]
                measure(
                    list(zip(comparison, matches, strict=True)),
                    terms,
                    seed,
                    options.max_time * len(matches),
                    stderr_progress(quiet=options.quiet),
                )
            finally:
                # A signal must not interrupt the clean-up after a verdict.
                hold_off()
                if options.save and comparison:
                    save(options.save, comparison, seed)
    except KeyboardInterrupt:
        pairs = sum(len(item.pairs) for item in comparison)
        raise GuardError(f"interrupted after {pairs:,} pairs, before there was a verdict on all") from None
    return comparison


def _measured_suite(options: argparse.Namespace, mode: str, alpha: float, seed: int) -> list[Comparison]:
    """Run the suite for both versions until every benchmark is decided or the time is over."""
    from random import Random

    from aether_compare.checkout.revisions import checked_out_revisions
    from aether_compare.progress import stderr_progress
    from aether_compare.replay import save
    from aether_compare.stats.sequential_test import TestSpec
    from aether_compare.suite import SuiteRunner, compare_suites
    from aether_harness.machine.orphans import nothing_outlives
    from aether_harness.machine.scratch import scratch_folder
    from aether_harness.machine.signals import ended_on_request

    del mode
    for path in (options.save, options.output):
        if path:
            check_writable(path)
    suite = _suite(options)
    rule = TestSpec(gate=DEFAULT_GATE if options.gate is None else options.gate, alpha=alpha)
    log = _logger(options)
    setup = options.setup or find_config(".").ab.setup_commands
    try:
        with (
            ended_on_request() as hold_off,
            nothing_outlives(),
            scratch_folder() as folder,
            checked_out_revisions(".", options.base, options.head, setup, log, needs_harness=False) as sides,
        ):
            runner = SuiteRunner(suite, sides, folder, Random(seed))  # noqa: S311 - orders, not secrets
            log(f"seed {seed}; one run of the suite per version is a block")
            found = compare_suites(runner, rule, options.max_time, stderr_progress(quiet=options.quiet))
            hold_off()
            for name, benches in zip(runner.names, (found.only_old, found.only_new), strict=True):
                if benches:
                    sys.stderr.write(printable(f"only in {name}: {', '.join(benches)}") + "\n")
            if options.save:
                save(options.save, found.comparisons, seed)
            return found.comparisons
    except KeyboardInterrupt:
        raise GuardError("interrupted before there was a verdict on all benchmarks") from None


def _suite(options: argparse.Namespace) -> Suite:
    """Return the suite that the options describe.

    Raises:
        GuardError: there is no suite of this name.

    """
    from aether_compare.suite import SUITES, Suite

    command, source = options.run, options.source
    if options.suite is not None:
        if options.suite not in SUITES:
            raise GuardError(f"--suite {printable(options.suite)}: known: {', '.join(sorted(SUITES))}")
        command, source = SUITES[options.suite]
    return Suite(
        command=command,
        format=source,
        options=import_options(options),
        results=options.results,
        each=options.each,
        ignore_exit_code=options.ignore_exit_code,
    )


def _logger(options: argparse.Namespace) -> Callable[[str], object]:
    """Return a function that prints a line on the error stream, unless `-q` is given."""
    return (lambda _line: None) if options.quiet else (lambda line: sys.stderr.write(f"{line}\n"))


@contextmanager
def _matches(options: argparse.Namespace, mode: str) -> Iterator[list[VariantPair]]:
    """Set up both sides and yield the pairs of variants."""
    from aether_compare.variants import command_pairs, fill_placeholders, revision_pairs, setting_pairs
    from aether_harness.benchmark.command_bench import CommandParams
    from aether_harness.discovery.bench_folder import expand_folders
    from aether_harness.discovery.description import BenchSelection

    benches = find_config(".").ab.benches if options.all else options.benches
    wanted = BenchSelection(
        names=tuple(expand_folders(benches)), params=tuple(options.param), with_installed=options.all
    )
    if mode == "revisions":
        from aether_compare.checkout.bench_files import share_bench_files
        from aether_compare.checkout.revisions import checked_out_revisions

        setup = options.setup or find_config(".").ab.setup_commands
        with checked_out_revisions(".", options.base, options.head, setup, _logger(options)) as sides:
            share_bench_files(sides, wanted.names, _logger(options))
            yield revision_pairs(sides, wanted, options.timeout)
    elif mode == "settings":
        yield setting_pairs(wanted, options.old_settings, options.new_settings, options.timeout)
    else:
        both = [
            CommandParams(
                command=fill_placeholders(command, options.input),
                shell=options.shell,
                measure=options.measure,
                prepare=fill_placeholders(options.prepare, options.input),
                cleanup=fill_placeholders(options.cleanup, options.input),
                ignore_exit_code=options.ignore_exit_code,
            )
            for command in (options.exec_a, options.exec_b)
        ]
        yield command_pairs(both[0], both[1])


def _where(cpus: Sequence[int]) -> str:
    return f"both versions on CPU {','.join(map(str, cpus))}"


def _alpha(text: str) -> float:
    number = _number(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: takes a chance between 0 and 1, such as 0.001")
    return number


def _seed(text: str) -> int:
    from aether_compare.replay import SEED_LIMIT

    if not (text.isascii() and text.isdigit() and int(text) < SEED_LIMIT):
        raise argparse.ArgumentTypeError(f"{text!r}: takes a whole number from 0 to {SEED_LIMIT - 1}")
    return int(text)


def _seconds(text: str) -> float:
    number = _number(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: takes a positive number of seconds")
    return number


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0


def _cpus(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: write CPU numbers with commas, for example 0,1") from None
