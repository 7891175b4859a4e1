"""`aether-guard`: parse the arguments, run the command, map errors to exit statuses."""

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
#: Entry points of further commands: modules with a function `register`, like the built-in commands.
ENTRY_POINT_GROUP = "aether.commands"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `aether-guard` and return its exit status."""
    if not _usable_streams():
        return EXIT_ERROR
    argv = sys.argv[1:] if arguments is None else arguments
    try:
        if argv and argv[0] in EXTRA_OF_COMMAND and argv[0] not in _installed_commands():
            raise missing_package(argv[0])
        options, unknown = build_parser(argv[:1]).parse_known_args(argv)
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
        # The reader closed the pipe, so the verdict was not delivered.
        return EXIT_ERROR
    except Exception as error:  # noqa: BLE001 - plugins, pools and schedulers raise errors of their own
        if isinstance(error, OSError) and error.filename is None:
            print_error(f"the output cannot be written: {(error.strerror or str(error)).lower()}")
        else:
            print_error(explain(error))
        return EXIT_ERROR
    finally:
        settle_streams()
    return status


def settle_streams() -> None:
    """Flush both streams, and discard output that cannot be written: a retry at exit would change the status."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def build_parser(first: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser of the command named by the first argument, or of all commands."""
    parser = Parser(
        prog="aether-guard",
        description="Compare benchmark summaries with a baseline and fail the build on a regression.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EXIT_STATUSES,
    )
    parser.add_argument("--version", action="version", version=f"aether-guard {__version__}")
    # Without `prog`, argparse formats a usage line to find it, which takes longer than all other parsing.
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, prog=parser.prog)
    for module in _command_modules(first[0] if first else ""):
        module.register(commands)
    return parser


def _command_modules(name: str) -> Iterator[Any]:
    """Yield the module of the command `name`, or of every command if none has this name.

    Built-in commands skip the search for entry points, which would double the time of a `check`.
    """
    if name in _BUILT_IN:
        yield import_module(f"aether_guard.cli.{_BUILT_IN[name]}")
        return
    installed = _installed_commands()
    if name in installed:
        yield _load(installed[name])
        return
    yield from (import_module(f"aether_guard.cli.{module}") for module in _BUILT_IN.values())
    yield from map(_load, installed.values())


def _installed_commands() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    entries = {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}
    return {name: entries[name] for name in sorted(entries, key=lambda name: (name not in EXTRA_OF_COMMAND, name))}


def _load(entry: EntryPoint) -> Any:  # noqa: ANN401 - a module
    try:
        return entry.load()
    except Exception as error:  # noqa: BLE001 - plugins, pools and schedulers raise errors of their own
        problem = printable(f"{type(error).__name__}: {error}")
        raise GuardError(f"{entry.name}: {entry.value} cannot be imported: {problem}") from None


def _usable_streams() -> bool:
    """Let both streams escape unencodable characters; return whether the standard output is open."""
    for name in ("stdout", "stderr"):
        if (stream := getattr(sys, name)) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open until exit
            if name == "stdout":
                print("aether-guard: error: the standard output is closed", file=sys.stderr or sys.__stderr__)
                return False
        else:
            # A character that the encoding lacks must not fail a build.
            stream.reconfigure(errors="backslashreplace")
    return True


if __name__ == "__main__":
    sys.exit(main())
