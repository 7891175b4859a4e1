"""`aether.toml`, or `[tool.aether]` in `pyproject.toml`: found upwards from the working folder."""

from __future__ import annotations

import difflib
import os
import re

import msgspec
from msgspec import Struct

from aether_guard.error import GuardError
from aether_guard.figure import parse_percentage
from aether_guard.verdict import Quantile
from aether_schema import printable

FILE_NAME = "aether.toml"
PYPROJECT = "pyproject.toml"


class GuardTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[guard]`: where the files are, and the rule."""

    baseline: tuple[str, ...] = ()
    current: tuple[str, ...] = ()
    gate: str | float | None = None
    quantile: Quantile | None = None


class Document(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    guard: GuardTable = GuardTable()


class Config(Struct, frozen=True, kw_only=True):
    """What the file says, its paths as seen from the working folder. `path` is None where there is no file."""

    path: str | None = None
    baseline: tuple[str, ...] = ()
    current: tuple[str, ...] = ()
    gate: float | None = None
    quantile: Quantile | None = None


def find_config(folder: str) -> Config:
    """Return the configuration of the nearest file at or above `folder`, or an empty one.

    Raises:
        GuardError: the file cannot be read, or holds something it should not; the message names the key.

    """
    folder = os.path.abspath(folder)
    while True:
        for name in (FILE_NAME, PYPROJECT):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and (document := _read(path)) is not None:
                return _config(path, document)
        parent = os.path.dirname(folder)
        if parent == folder:
            return Config()
        folder = parent


def _read(path: str) -> Document | None:
    """Return the document, or None where a `pyproject.toml` has no table of ours."""
    try:
        with open(path, "rb") as file:
            data = file.read()
        if os.path.basename(path) == FILE_NAME:
            return msgspec.toml.decode(data, type=Document)
        if b"aether" not in data:
            return None
        table = msgspec.toml.decode(data).get("tool", {}).get("aether")
        return None if table is None else msgspec.convert(table, Document)
    except (OSError, UnicodeDecodeError, msgspec.MsgspecError, AttributeError) as error:
        raise GuardError(f"{_shown(path)}: {_problem(error)}") from None


def _config(path: str, document: Document) -> Config:
    table = document.guard
    base = os.path.relpath(os.path.dirname(path))

    def placed(paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(os.path.normpath(os.path.join(base, item)) for item in paths)

    try:
        gate = None if table.gate is None else parse_percentage(str(table.gate))
    except GuardError as error:
        raise GuardError(f"{_shown(path)}: guard.gate: {error}") from None
    return Config(
        path=path, baseline=placed(table.baseline), current=placed(table.current), gate=gate, quantile=table.quantile
    )


def _problem(error: Exception) -> str:
    """Return one line for what a decoder found, with the nearest known key for an unknown one."""
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    text = printable(str(error))
    unknown = re.fullmatch(r"Object contains unknown field `(.+?)`(?: - at `\$\.?(.*)`)?", text)
    if unknown is None:
        problem, _, key = text.partition(" - at `$.")
        return f"{key.removesuffix('`')}: {problem[:1].lower()}{problem[1:]}" if key else problem
    known = (GuardTable if unknown[2] == "guard" else Document).__struct_fields__
    near = difflib.get_close_matches(unknown[1], known, n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}"
    return ".".join(filter(None, (unknown[2], unknown[1]))) + f": no such key{hint}"


def _shown(path: str) -> str:
    return printable(os.path.relpath(path))
