"""`aether.toml`, or `[tool.aether]` in `pyproject.toml`: found upwards from the working folder."""

from __future__ import annotations

import os
import re
import stat
from datetime import date
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from aether_guard.check.limits import parse_limit
from aether_guard.check.policy import EvidenceRequirement, HostMismatch, PolicyOverrides, PolicySet, Waiver
from aether_guard.check.verdict import Quantile
from aether_guard.errors import GuardError
from aether_guard.report.format import parse_percentage
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_NAME = "aether.toml"
PYPROJECT = "pyproject.toml"
#: Python reads no integer with more digits from a text.
INTEGER_DIGITS = 4300
_FITTING_DIGITS = 18


class TomlTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A table of the file: keys with dashes, and none that it does not know."""


class FigureTable(TomlTable, frozen=True, kw_only=True):
    """The table `[guard.figure."<glob>"]`, or a bench's: the policy of the further figures that match."""

    gate: str | float | None = None
    limit: str | float | None = None
    judge: bool | None = None
    warn_only: bool | None = None


class BenchTable(TomlTable, frozen=True, kw_only=True):
    """The table `[guard.bench."<glob>"]`: the policy of the benches that match, and of their further figures."""

    gate: str | float | None = None
    quantile: Quantile | None = None
    warn_only: bool | None = None
    evidence: EvidenceRequirement | None = None
    host_mismatch: HostMismatch | None = None
    limit: str | float | None = None
    judge: bool | None = None
    figure: dict[str, FigureTable] = {}


class WaiverTable(TomlTable, frozen=True, kw_only=True):
    """A table `[[guard.waiver]]`: a larger gate for a while."""

    bench: str
    gate: str | float
    reason: str
    expires: date


class GuardTable(BenchTable, frozen=True, kw_only=True):
    """The table `[guard]`: the paths, and the policy of every bench."""

    baseline: tuple[str, ...] = ()
    current: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()
    level: str | float | None = None
    bench: dict[str, BenchTable] = {}
    waiver: tuple[WaiverTable, ...] = ()


class AbTable(TomlTable, frozen=True, kw_only=True):
    """The table `[ab]`: the commands that set a revision up, and the suite that is compared if no bench is named.

    `benches` are the bench files and folders of `ab --all`, besides the installed benches. `run`, `source` (the key
    `from`), `results`, `each` and `suite` are the options of `aether-guard ab`.
    """

    setup: str | tuple[str, ...] = ()
    benches: tuple[str, ...] = ()
    run: str | None = None
    source: str | None = msgspec.field(default=None, name="from")
    results: str | None = None
    each: str | None = None
    suite: str | None = None

    @property
    def setup_commands(self) -> tuple[str, ...]:
        """The commands of `setup`; empty if the file leaves it open."""
        return (self.setup,) if isinstance(self.setup, str) else self.setup


class Document(TomlTable, frozen=True, kw_only=True):
    """The whole file."""

    guard: GuardTable = GuardTable()
    ab: AbTable = AbTable()


class ToolTable(Struct, frozen=True, kw_only=True):
    """The table `[tool]` of a `pyproject.toml`, of which one table is ours."""

    aether: Document | None = None


class Pyproject(Struct, frozen=True, kw_only=True):
    """A `pyproject.toml`, as far as it is ours."""

    tool: ToolTable | None = None


class Config(Struct, frozen=True, kw_only=True):
    """The content of the file, with paths relative to the working folder. `path` is None without a file."""

    path: str | None = None
    baseline: tuple[str, ...] = ()
    current: tuple[str, ...] = ()
    book: PolicySet = PolicySet()
    ab: AbTable = AbTable()


def find_config(folder: str) -> Config:
    """Return the configuration of the nearest file at or above `folder`, or an empty one.

    Raises:
        GuardError: the file cannot be read, or holds something it should not; the message names the key.

    """
    folder = os.path.abspath(folder)
    while True:
        for name in (FILE_NAME, PYPROJECT):
            path = os.path.join(folder, name)
            # A link to nothing is read too: it was meant to be a configuration, and fails as one.
            if os.path.lexists(path) and not os.path.isdir(path) and (document := _read(path)) is not None:
                return _config(path, document)
        parent = os.path.dirname(folder)
        if parent == folder:
            return Config()
        folder = parent


def _read(path: str) -> Document | None:
    """Return the document, or None where a `pyproject.toml` has no table of ours."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise GuardError(f"{_shown(path)}: not a regular file")
        with open(path, "rb") as file:
            data = file.read()
        if os.path.basename(path) == FILE_NAME:
            return msgspec.toml.decode(data, type=Document)
        if b"aether" not in data:
            return None
        tool = msgspec.toml.decode(data, type=Pyproject).tool
    except OSError as error:
        raise GuardError(f"{_shown(path)}: {(error.strerror or str(error)).lower()}") from None
    except (ValueError, RecursionError, SystemError, msgspec.MsgspecError) as error:
        raise GuardError(f"{_shown(path)}: {_problem(error, data)}") from None
    return None if tool is None else tool.aether


def _config(path: str, document: Document) -> Config:
    table = document.guard
    base = os.path.relpath(os.path.dirname(path))

    def relative_to_config(paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(os.path.normpath(os.path.join(base, item)) for item in paths)

    if any("\0" in item for item in (*table.baseline, *table.current)):
        raise GuardError(f"{_shown(path)}: guard: a path cannot hold a zero byte")
    return Config(
        path=path,
        baseline=relative_to_config(table.baseline),
        current=relative_to_config(table.current),
        book=_policies(path, table),
        ab=document.ab,
    )


def _policies(path: str, table: GuardTable) -> PolicySet:
    source = _shown(path)
    level = PolicySet().level if table.level is None else _fraction(table.level, f"{source}: guard.level")
    if not level:
        raise GuardError(f"{source}: guard.level: at 0 no evidence would make a regression; the usual is 5%")
    keys = {pattern: f'guard.bench."{printable(pattern)}"' for pattern in table.bench}
    return PolicySet(
        general=((f"{source} [guard]", _overrides(table, f"{source}: guard")),),
        by_glob=tuple(
            (f"{source} [{key}]", pattern, _overrides(table.bench[pattern], f"{source}: {key}"))
            for pattern, key in keys.items()
        ),
        by_figure=(
            *_figure_overrides("*", table, source, "guard"),
            *(
                item
                for pattern, key in keys.items()
                for item in _figure_overrides(pattern, table.bench[pattern], source, key)
            ),
        ),
        waivers=tuple(
            Waiver(
                bench=waiver.bench,
                gate=_fraction(waiver.gate, f"{source}: guard.waiver.gate"),
                reason=waiver.reason,
                expires=waiver.expires,
            )
            for waiver in table.waiver
        ),
        expected=table.expected,
        level=level,
    )


def _overrides(part: BenchTable, place: str) -> PolicyOverrides:
    return PolicyOverrides(
        gate=None if part.gate is None else _fraction(part.gate, f"{place}.gate"),
        quantile=part.quantile,
        warn_only=part.warn_only,
        evidence=part.evidence,
        host_mismatch=part.host_mismatch,
        limit=_limit(part.limit, f"{place}.limit"),
        judge=part.judge,
    )


def _figure_overrides(
    bench: str, part: BenchTable, source: str, key: str
) -> Iterator[tuple[str, str, str, PolicyOverrides]]:
    """Yield the source, the glob for benches, the glob for figures, and the settings of each table of figures."""
    for pattern, figure in part.figure.items():
        place = f'{key}.figure."{printable(pattern)}"'
        settings = PolicyOverrides(
            gate=None if figure.gate is None else _fraction(figure.gate, f"{source}: {place}.gate"),
            warn_only=figure.warn_only,
            limit=_limit(figure.limit, f"{source}: {place}.limit"),
            judge=figure.judge,
        )
        yield f"{source} [{place}]", bench, pattern, settings


def _fraction(value: str | float, place: str) -> float:
    try:
        # A number may be written in ways that a percentage on a command line may not, such as 1e-5.
        return parse_percentage(value if isinstance(value, str) else f"{value:f}")
    except GuardError as error:
        raise GuardError(f"{place}: {error}") from None


def _limit(value: str | float | None, place: str) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else f"{value:f}"
    try:
        parse_limit(text)
    except GuardError as error:
        raise GuardError(f"{place}: {error}") from None
    return text


def _problem(error: Exception, data: bytes) -> str:
    """Return one line for a decoder's error, with the nearest known key for an unknown one."""
    import difflib

    if isinstance(error, RecursionError):
        return "nested too deeply"
    # Older releases of msgspec raise a SystemError for any integer that does not fit.
    digits = _FITTING_DIGITS if isinstance(error, SystemError) else INTEGER_DIGITS
    is_integer = type(error) in {ValueError, SystemError}
    if is_integer and (large := re.search(rb"[\d_]{%d,}" % digits, data)) is not None:
        before = data[: large.start()]
        key = before.rpartition(b"\n")[2].partition(b"=")[0].strip().decode(errors="replace")
        line = before.count(b"\n") + 1
        return printable(f"line {line}: {key}: an integer of more than {digits:,} digits")
    text = printable(str(error))
    found = re.fullmatch(r"Object contains unknown field `(.+?)`(?: - at `\$\.?(.*)`)?", text)
    if found is None:
        problem, _, key = text.partition(" - at `$.")
        key = _named(key.removesuffix("`").removeprefix("tool.aether."), data)
        return f"{key}: {problem[:1].lower()}{problem[1:]}" if key else problem
    place = (found[2] or "").removeprefix("tool.aether").removeprefix(".")
    known = _table_at(place).__struct_encode_fields__
    near = difflib.get_close_matches(found[1], known, n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}"
    return ".".join(filter(None, (_named(place, data), found[1]))) + f": no such key{hint}"


def _named(place: str, data: bytes) -> str:
    """Return a place with the name of the bench's table, which the decoder does not report."""
    if "[...]" not in place:
        return place
    document = msgspec.toml.decode(data)
    table = document.get("tool", {}).get("aether", document)
    named, rest = "", place
    while "[...]" in rest:
        key, _, rest = rest.partition("[...]")
        for part in key.strip(".").split("."):
            table = table[part]
        kind = FigureTable if key.endswith("figure") else BenchTable
        name = next((name for name, each in table.items() if not _converts(each, kind)), "...")
        named += f'{key}."{printable(name)}"'
        table = table.get(name, {})
    return named + rest


def _converts(table: object, kind: type[TomlTable]) -> bool:
    try:
        msgspec.convert(table, kind)
    except msgspec.ValidationError:
        return False
    return True


def _table_at(place: str) -> type[TomlTable]:
    if place.startswith("guard.waiver"):
        return WaiverTable
    if ".figure[" in place:
        return FigureTable
    if place.startswith("guard.bench"):
        return BenchTable
    if place == "ab":
        return AbTable
    return GuardTable if place else Document


def _shown(path: str) -> str:
    return printable(os.path.relpath(path))
