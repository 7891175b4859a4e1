"""Exit statuses, the options of a measurement, and the layout of help, shared by the commands."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from typing import TYPE_CHECKING

from aether_harness.errors import UsageError
from aether_harness.machine.affinity import allowed_cpus, assign_cpus, pin
from aether_harness.measure.plan import PROFILES, Profile, RunPlan, adjusted_profile

if TYPE_CHECKING:
    from collections.abc import Callable

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2

EXIT_STATUSES = """exit status:
  0    every bench ran and its summary was written
  1    a bench failed; the summaries of the others were written
  2    usage: an unknown bench or parameter, a folder that cannot be written
  130  interrupted; nothing was written that was not finished (143: terminated,
       129: the terminal hung up)
"""

Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for what add_subparsers returns


def add_command(
    commands: Commands[argparse.ArgumentParser],
    name: str,
    about: str,
    example: str,
    execute: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    """Return the parser of a command, to be given its options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=about,
        description=about[:1].upper() + about[1:] + ".",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=example,
    )
    parser.set_defaults(command=execute)
    return parser


def add_measurement_options(parser: argparse.ArgumentParser, *, default_profile: str, default_out: str) -> None:
    """Add the options of a measurement."""
    sizes = ", ".join(f"{name}: {p.rounds} rounds of {p.samples}" for name, p in PROFILES.items())
    parser.add_argument(
        "--profile", choices=PROFILES, default=default_profile, help=f"how much is measured ({sizes}); %(default)s"
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="fresh worker processes a bench")
    parser.add_argument("--samples", type=int, metavar="N", help="samples a round")
    parser.add_argument("-w", "--warmups", type=int, metavar="N", help="samples a round that are thrown away first")
    parser.add_argument(
        "--cpus", "--affinity", type=_cpu_list, default=(), metavar="0,1", help="CPUs to use; the first is the worker's"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="of the order of rounds; drawn and printed if not given")
    parser.add_argument(
        "--layout-seed",
        type=int,
        default=0,
        metavar="N",
        help="of the rounds' memory layouts, which runs with the same one share; %(default)s",
    )
    add_timeout(parser, "an import, a set-up or a sample")
    parser.add_argument("--out", default=default_out, metavar="DIR", help="where the results go; %(default)s")
    parser.add_argument(
        "-p",
        "--param",
        action="append",
        default=[],
        metavar="BENCH.KEY=VALUE",
        help="set a parameter of a bench; a list with commas measures every value of it",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")


def add_timeout(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the option that bounds how long a process of a bench takes for one step."""
    parser.add_argument(
        "--timeout", type=seconds, default=60.0, metavar="S", help=f"seconds {what} may take; %(default)g"
    )


def plan_from_options(options: argparse.Namespace) -> RunPlan:
    """Return the plan that the options ask for, and move this process off the worker's CPU.

    Raises:
        UsageError: a figure makes no sense, or a CPU is not to be had.

    """
    profile: Profile = adjusted_profile(
        options.profile, rounds=options.rounds, samples=options.samples, warmups=options.warmups
    )
    plan = RunPlan(
        profile=profile,
        seed=secrets.randbelow(2**32) if options.seed is None else options.seed,
        assignment=assign_cpus(allowed_cpus(), options.cpus),
        timeout_s=options.timeout,
        layout_seed=options.layout_seed,
    )
    pin(plan.assignment.companion_cpus)
    return plan


def print_run_header(plan: RunPlan) -> None:
    """Print the seed and the CPUs of the run."""
    worker, companions = plan.assignment.worker_cpus, plan.assignment.companion_cpus
    where = plan.assignment.note or f"worker on CPU {worker[0]}, everything else on {','.join(map(str, companions))}"
    print(f"seed {plan.seed}; {where}", file=sys.stderr)


def ensure_output_folder(folder: str) -> None:
    """Make the folder for results, to find out before the measuring and not after it that it cannot be.

    Raises:
        UsageError: it cannot be made or written to.

    """
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {folder}: {(error.strerror or str(error)).lower()}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"--out {folder}: cannot be written")


def percentage(text: str) -> float:
    """Return 0.3 for `30%` and for `0.3`, as argparse wants it."""
    number, sign = (text[:-1], 100.0) if text.endswith("%") else (text, 1.0)
    try:
        fraction = float(number) / sign
    except ValueError:
        fraction = -1.0
    if not 0 <= fraction <= 1:
        raise argparse.ArgumentTypeError(f"{text!r}: write a percentage up to 100%, or a fraction up to 1")
    return fraction


def _cpu_list(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: write CPU numbers with commas, for example 0,1") from None


def seconds(text: str) -> float:
    """Return a positive number of seconds, as argparse wants it."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: takes a positive number of seconds")
    return number
