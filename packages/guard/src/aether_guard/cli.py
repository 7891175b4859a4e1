"""`aether-guard`: parse, call, and turn errors into exit statuses."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from aether_guard.__about__ import __version__
from aether_guard.command.form import EXIT_STATUSES, Parser, print_error
from aether_guard.error import GuardError, explain
from aether_guard.verdict import EXIT_ERROR
from aether_schema import SchemaError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The modules of `aether_guard.command`, in the order in which help lists them.
COMMANDS = (
    "check",
    "ab",
    "init",
    "validate",
    "policy",
    "promote",
    "import",
    "export",
    "record",
    "trend",
    "bisect",
    "noise",
    "schema",
)
#: Where a command's name is a word of the language, its module has another.
_MODULES = {"import": "import_files"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `aether-guard` and return its exit status."""
    if not _usable_streams():
        return EXIT_ERROR
    given = sys.argv[1:] if arguments is None else arguments
    try:
        options, unknown = _parser(given[:1]).parse_known_args(given)
        if unknown:
            options.parser.refuse(unknown)
        status: int = options.command(options)
        sys.stdout.flush()
    except (GuardError, SchemaError) as error:
        for line in str(error).splitlines():
            print_error(line)
        return EXIT_ERROR
    except KeyboardInterrupt:
        print_error("interrupted")
        return 130
    except BrokenPipeError:
        # Whoever read the output has gone; the verdict has not been delivered.
        return EXIT_ERROR
    except Exception as error:  # noqa: BLE001 - the interpreter's own status for it, 1, would mean a regression
        if isinstance(error, OSError) and error.filename is None:
            print_error(f"the output cannot be written: {(error.strerror or str(error)).lower()}")
        else:
            print_error(explain(error))
        return EXIT_ERROR
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


def _parser(first: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser of the command named first, or of all: what is not called is not imported."""
    parser = Parser(
        prog="aether-guard",
        description="Compares benchmark summaries with a baseline; fails the build on a regression.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EXIT_STATUSES,
    )
    parser.add_argument("--version", action="version", version=f"aether-guard {__version__}")
    # With its name given, argparse need not lay out a usage line to find it, which takes longer than the rest.
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, prog=parser.prog)
    for command in [name for name in COMMANDS if name in first] or COMMANDS:
        import_module(f"aether_guard.command.{_MODULES.get(command, command)}").add_to(commands)
    return parser


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


if __name__ == "__main__":
    sys.exit(main())
