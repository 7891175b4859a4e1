"""The set-up commands of a side, and the key under which its environment can be reused. Pure."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from typing import TYPE_CHECKING

from aether_guard.errors import GuardError
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: A command, word by word.
Command = tuple[str, ...]

LOCKED: Command = ("uv", "sync", "--frozen")
UNLOCKED: Command = ("uv", "pip", "install", "--python", "{python}", "-e", "{tree}")
#: The files of a Python package that can be installed.
PACKAGE_FILES = ("pyproject.toml", "setup.py")
#: Files that decide which packages are installed, at any place in the tree.
_DECIDING = re.compile(
    r"pyproject\.toml|setup\.(py|cfg)|.*\.lock|\.python-version|(requirements|constraints)[^/]*\.(txt|in)"
    r"|([a-z]+_)?build\.py|Cargo\.toml|CMakeLists\.txt|meson\.build"
    # A reused environment does not recompile these sources.
    r"|.*\.(c|cc|cpp|cu|cuh|cxx|f|f90|go|h|hh|hpp|hxx|inc|pxd|pxi|pyx|rs|zig)"
)
_KEY_DIGITS = 16


def parse_setup(setup: Iterable[str], *, has_lock: bool, is_package: bool = True) -> tuple[Command, ...]:
    """Return the commands of `[ab] setup`.

    The default is `uv sync` if there is a `uv.lock`, an editable install of a Python package, and else nothing.

    Raises:
        GuardError: one cannot be split into words, or has none.

    """
    commands = []
    for line in setup:
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise GuardError(f"ab.setup: {printable(line)}: {str(error).lower()}") from None
        if not words or not words[0]:
            raise GuardError("ab.setup: an empty command")
        if "\0" in line:
            raise GuardError("ab.setup: a command cannot hold a zero byte")
        commands.append(tuple(words))
    default = (LOCKED,) if has_lock else (UNLOCKED,) if is_package else ()
    return tuple(commands) or default


def filled(command: Command, places: Mapping[str, str]) -> Command:
    """Return the command with `{name}` replaced by the place of that name; a path with blanks stays one word."""
    pattern = "|".join(map(re.escape, places))
    return tuple(re.sub(rf"\{{({pattern})\}}", lambda found: places[found[1]], word) for word in command)


def fingerprint_files(files: Iterable[str], setup: Sequence[Command]) -> list[str]:
    """Return the files of a tree that decide the content of an environment, including files that a command names.

    Installers record the packages that they copy. For any other command, every file may decide.
    """
    if not all(map(_is_installer, setup)):
        return list(files)
    named = {os.path.normpath(word) for command in setup for word in command}
    return [path for path in files if _DECIDING.fullmatch(os.path.basename(path)) or os.path.normpath(path) in named]


def _is_installer(command: Command) -> bool:
    program, *words = command
    if words[:2] == ["-m", "pip"]:
        program, words = "pip", words[2:]
    name = os.path.basename(program).removesuffix(".exe")
    return words[:1] == [{"uv": "sync", "pip": "install"}.get(name)] or (name, words[:2]) == ("uv", ["pip", "install"])


def cache_key(parts: Sequence[bytes]) -> str:
    """Return a short name for `parts`, another one for any other parts."""
    digest = hashlib.sha256()
    for part in parts:
        # With its length, so that no two lists of parts run together to the same bytes.
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:_KEY_DIGITS]
