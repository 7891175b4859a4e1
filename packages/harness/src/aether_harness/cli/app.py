"""`aether-bench`: parse, call, print, and turn errors into exit statuses."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from aether_harness.__about__ import __version__
from aether_harness.cli import doctor as doctor_command
from aether_harness.cli import list as list_command
from aether_harness.cli import noise as noise_command
from aether_harness.cli import run as run_command
from aether_harness.cli.options import EXIT_FAILED, EXIT_STATUSES, EXIT_USAGE
from aether_harness.errors import HarnessError, UsageError, described_error
from aether_harness.machine.orphans import nothing_outlives
from aether_harness.machine.signals import Interrupted, ended_on_request
from aether_harness.machine.startup import followed
from aether_schema import SummaryFileError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = (list_command, run_command, doctor_command, noise_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `aether-bench` and return its exit status."""
    # A scratch folder may hold a tree as deep as a path can be long, and is removed folder within folder.
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 10_000))
    try:
        with ended_on_request():
            options = build_parser().parse_args(arguments)
            with nothing_outlives():
                status: int = options.command(options)
            sys.stdout.flush()
    except (HarnessError, SummaryFileError) as error:
        return _fail(error, EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED)
    except Interrupted as request:
        return _fail(followed(request.number), 128 + request.number)
    except BrokenPipeError:
        return EXIT_FAILED  # the reader of the output is gone
    except OSError as error:
        return _fail(f"the output cannot be written: {(error.strerror or str(error)).lower()}", EXIT_FAILED)
    except Exception as error:  # noqa: BLE001 - a broken pool's, a lost scheduler's: each has errors of its own
        return _fail(f"unexpected error, please report it: {described_error(error)}", EXIT_USAGE)
    finally:
        discard_unwritable_streams()
    return status


def discard_unwritable_streams() -> None:
    """Discard the rest of streams that cannot be written: another attempt at exit would change the exit status."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of `aether-bench`."""
    parser = argparse.ArgumentParser(
        prog="aether-bench",
        description="Measures benches in fresh worker processes, each pinned to a CPU of its own.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EXIT_STATUSES,
    )
    parser.add_argument("--version", action="version", version=f"aether-bench {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.register(commands)
    return parser


def _fail(error: object, status: int) -> int:
    with suppress(OSError):  # after a hangup of the terminal only the exit status is left
        print(f"aether-bench: {error}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
