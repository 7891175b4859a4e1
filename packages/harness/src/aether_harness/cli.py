"""`aether-bench`: parse, call, print, and turn errors into exit statuses."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from aether_harness.__about__ import __version__
from aether_harness.command import doctor as doctor_command
from aether_harness.command import list as list_command
from aether_harness.command import noise as noise_command
from aether_harness.command import run as run_command
from aether_harness.command.form import EXIT_FAILED, EXIT_STATUSES, EXIT_USAGE
from aether_harness.error import HarnessError, UsageError
from aether_schema import SummaryFileError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = (list_command, run_command, doctor_command, noise_command)


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM): everything is torn down as for a Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `aether-bench` and return its exit status."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminate)
    # A scratch folder may hold a tree as deep as a path can be long, and is removed folder within folder.
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 10_000))
    try:
        status: int = options.command(options)
        sys.stdout.flush()
    except (HarnessError, SummaryFileError) as error:
        return _fail(error, EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED)
    except KeyboardInterrupt as interruption:
        ended = isinstance(interruption, Terminated)
        return _fail("terminated" if ended else "interrupted", 128 + (signal.SIGTERM if ended else signal.SIGINT))
    except BrokenPipeError:
        return EXIT_FAILED  # whoever read the output has gone; nothing is left to say it to
    except OSError as error:
        return _fail(f"the output cannot be written: {(error.strerror or str(error)).lower()}", EXIT_FAILED)
    finally:
        settle_streams()
    return status


def settle_streams() -> None:
    """Give up what a stream could not take: tried again at exit, it would make the status another one."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aether-bench",
        description="Measures benches in fresh worker processes, each pinned to a CPU of its own.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EXIT_STATUSES,
    )
    parser.add_argument("--version", action="version", version=f"aether-bench {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_to(commands)
    return parser


def _fail(error: object, status: int) -> int:
    print(f"aether-bench: {error}", file=sys.stderr)
    return status


def _terminate(_number: int, _frame: object) -> NoReturn:
    raise Terminated


if __name__ == "__main__":
    sys.exit(main())
