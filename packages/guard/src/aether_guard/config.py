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


class ToolTable(Struct, frozen=True, kw_only=True):
    """The table `[tool]` of a `pyproject.toml`, of which one table is ours."""

    aether: Document | None = None


class Pyproject(Struct, frozen=True, kw_only=True):
    """A `pyproject.toml`, as far as it is ours."""

    tool: ToolTable | None = None


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
        tool = msgspec.toml.decode(data, type=Pyproject).tool
    except (OSError, UnicodeDecodeError, RecursionError, msgspec.MsgspecError) as error:
        raise GuardError(f"{_shown(path)}: {_problem(error)}") from None
    return None if tool is None else tool.aether


def _config(path: str, document: Document) -> Config:
    table = document.guard
    base = os.path.relpath(os.path.dirname(path))

    def placed(paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(os.path.normpath(os.path.join(base, item)) for item in paths)

    try:
        # A number may be written in ways that a percentage on a command line may not, such as 1e-5.
        gate = parse_percentage(f"{table.gate:f}" if isinstance(table.gate, float) else table.gate or "0")
    except GuardError as error:
        raise GuardError(f"{_shown(path)}: guard.gate: {error}") from None
    if any("\0" in item for item in (*table.baseline, *table.current)):
        raise GuardError(f"{_shown(path)}: guard: a path cannot hold a zero byte")
    return Config(
        path=path,
        baseline=placed(table.baseline),
        current=placed(table.current),
        gate=None if table.gate is None else gate,
        quantile=table.quantile,
    )


def _problem(error: Exception) -> str:
    """Return one line for what a decoder found, with the nearest known key for an unknown one."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    text = printable(str(error))
    unknown = re.fullmatch(r"Object contains unknown field `(.+?)`(?: - at `\$\.?(.*)`)?", text)
    if unknown is None:
        problem, _, key = text.partition(" - at `$.")
        return f"{key.removesuffix('`')}: {problem[:1].lower()}{problem[1:]}" if key else problem
    inside_guard = (unknown[2] or "").split(".")[-1] == "guard"
    known = (GuardTable if inside_guard else Document).__struct_fields__
    near = difflib.get_close_matches(unknown[1], known, n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}"
    key = ".".join(filter(None, ((unknown[2] or "").removeprefix("tool.aether").removeprefix("."), unknown[1])))
    return f"{key}: no such key{hint}"


def _shown(path: str) -> str:
    return printable(os.path.relpath(path))
