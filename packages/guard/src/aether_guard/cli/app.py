"""`aether-guard`: parse, call, and turn errors into exit statuses."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from aether_guard.__about__ import __version__
from aether_guard.check.verdict import EXIT_ERROR
from aether_guard.cli.options import EXIT_STATUSES, EXTRA_OF_COMMAND, Parser, missing_package, print_error
from aether_guard.errors import GuardError, explain
from aether_schema import SchemaError, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.metadata import EntryPoint

#: The commands of this package and their modules, in the order of the help.
_BUILT_IN = {
    "check": "check",
    "init": "init",
    "validate": "validate",
    "policy": "policy",
    "promote": "promote",
    "import": "import_command",
    "export": "export",
    "noise": "noise",
    "schema": "schema",
}
#: The entry points of other commands: modules with a function `register`, as the built-in commands have.
ENTRY_POINT_GROUP = "aether.commands"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `aether-guard` and return its exit status."""
    if not _usable_streams():
        return EXIT_ERROR
    given = sys.argv[1:] if arguments is None else arguments
    try:
        if given and given[0] in EXTRA_OF_COMMAND and given[0] not in _installed_commands():
            raise missing_package(given[0])
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
    except Exception as error:  # noqa: BLE001 - a broken pool's, a lost scheduler's: each has errors of its own
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
    """Return the parser of the command that is the first argument, or of all commands."""
    parser = Parser(
        prog="aether-guard",
        description="Compares benchmark summaries with a baseline; fails the build on a regression.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EXIT_STATUSES,
    )
    parser.add_argument("--version", action="version", version=f"aether-guard {__version__}")
    # With its name given, argparse need not lay out a usage line to find it, which takes longer than the rest.
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, prog=parser.prog)
    for module in _command_modules(first[0] if first else ""):
        module.register(commands)
    return parser


def _command_modules(name: str) -> Iterator[Any]:
    """Yield the module of the command `name`, or of every command if none has this name.

    A built-in command needs no search for entry points, which would double the time of a `check`.
    """
    if name in _BUILT_IN:
        yield import_module(f"aether_guard.cli.{_BUILT_IN[name]}")
        return
    others = _installed_commands()
    if name in others:
        yield _load(others[name])
        return
    yield from (import_module(f"aether_guard.cli.{module}") for module in _BUILT_IN.values())
    yield from map(_load, others.values())


def _installed_commands() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    found = {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}
    return {name: found[name] for name in sorted(found, key=lambda name: (name not in EXTRA_OF_COMMAND, name))}


def _load(entry: EntryPoint) -> Any:  # noqa: ANN401 - a module
    try:
        return entry.load()
    except Exception as error:  # noqa: BLE001 - a broken pool's, a lost scheduler's: each has errors of its own
        problem = printable(f"{type(error).__name__}: {error}")
        raise GuardError(f"{entry.name}: {entry.value} cannot be imported: {problem}") from None


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
