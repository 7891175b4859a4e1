"""Save pairs as JSON lines (`--save`) and decide again from them (`--replay`)."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Annotated, cast

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from aether_compare.pair import SamplePair
from aether_compare.scheduler import Comparison, ComparisonSpec
from aether_guard.errors import GuardError
from aether_schema import SIZE_LIMIT_BYTES, SchemaError, printable, write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FORMAT_VERSION = 1
#: Seeds that every reader of JSON can hold.
SEED_LIMIT = 2**53
_MAX_ELAPSED_S = 1e9
#: The maximum length of names, command lines and problems.
_MAX_TEXT_LENGTH = 2000
#: Text that a CI host takes for a command: `::` at the start of a line, `##` anywhere in it.
_HOST_COMMAND = re.compile(r"^(\s*):(?=:)|#(?=#)")


class SavedComparison(Struct, frozen=True, kw_only=True):
    """One bench in the first line. `problem` is the error that ended it."""

    question: ComparisonSpec
    elapsed_s: Annotated[float, Meta(ge=0, le=_MAX_ELAPSED_S)]
    problem: str | None = None


class Header(Struct, frozen=True, kw_only=True):
    """The first line: the version of this format, the seed of all orders, and the benches."""

    aether_ab: int
    seed: Annotated[int, Meta(ge=0, lt=SEED_LIMIT)]
    benches: tuple[SavedComparison, ...]


class PairLine(Struct, frozen=True, kw_only=True):
    """Every other line: a pair, of the bench with this place in the first line, counted from 0."""

    bench: Annotated[int, Meta(ge=0)]
    pair: SamplePair


def save(path: str, benches: Sequence[Comparison], seed: int) -> None:
    """Write every pair to the file `path`.

    Raises:
        GuardError: it cannot be written.

    """
    asked = tuple(
        SavedComparison(question=item.question, elapsed_s=item.elapsed_s, problem=item.problem) for item in benches
    )
    lines: list[Struct] = [Header(aether_ab=FORMAT_VERSION, seed=seed, benches=asked)]
    lines += [PairLine(bench=index, pair=drawn) for index, item in enumerate(benches) for drawn in item.pairs]
    try:
        write_atomically(path, b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    except SchemaError as error:
        raise GuardError(str(error)) from None


def replay(path: str, overrides: Mapping[str, object]) -> tuple[list[Comparison], int]:
    """Return the benches of the file `path` with all their pairs, and the seed.

    `overrides` replace fields of the rule that the file holds; an `alpha` is shared by all benches.

    Raises:
        GuardError: it cannot be read or is none of ours; the message names the line.

    """
    lines = _lines_of(path)
    decode = msgspec.json.Decoder(PairLine).decode
    number = 1
    try:
        header = msgspec.json.decode(lines[0] if lines else b"", type=Header)
        if header.aether_ab != FORMAT_VERSION:
            raise ValueError(f"aether_ab: version {header.aether_ab}, and {FORMAT_VERSION} is the one that is known")
        benches = _benches_of(header, overrides)
        bet: list[PairLine] = []
        for number, text in enumerate(lines[1:], start=2):  # noqa: B007 - the messages below name it
            line = decode(text)
            # Now, while the line is known, and not when the last of its bet has been read.
            benches[line.bench].costs_of(line.pair)
            if bet and (line.bench, line.pair.block) != (bet[0].bench, bet[0].pair.block):
                _add(benches, bet)
                bet = []
            bet.append(line)
        _add(benches, bet)
    except IndexError:
        raise GuardError(f"{printable(path)}: line {number}: bench: there is none with this place") from None
    except (msgspec.MsgspecError, GuardError, ValueError, OverflowError, RecursionError) as error:
        raise GuardError(f"{printable(path)}: line {number}: {printable(str(error))}") from None
    return benches, header.seed


def _add(benches: Sequence[Comparison], bet: Sequence[PairLine]) -> None:
    if bet:
        benches[bet[0].bench].add([line.pair for line in bet])


def _lines_of(path: str) -> list[bytes]:
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise GuardError(f"{printable(path)}: not a regular file")
        if os.path.getsize(path) > SIZE_LIMIT_BYTES:
            raise GuardError(f"{printable(path)}: larger than {SIZE_LIMIT_BYTES // 2**20} MiB")
        with open(path, "rb") as file:
            return file.read().removesuffix(b"\n").split(b"\n")
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise GuardError(f"{printable(path)}: {problem.lower()}") from None


def _benches_of(header: Header, overrides: Mapping[str, object]) -> list[Comparison]:
    """Return the benches of the first line, without a pair.

    Raises:
        ValueError: there is none, or two are alike, or the rule of one makes no sense.

    """
    shown = [_shown(asked) for asked in header.benches]
    names = [asked.question.bench_id for asked in shown]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"benches: {'two have the same bench_id' if names else 'there is none'}")
    if "alpha" in overrides:
        overrides = {**overrides, "alpha": cast("float", overrides["alpha"]) / len(names)}
    return [_contested(asked, overrides) for asked in shown]


def _shown(asked: SavedComparison) -> SavedComparison:
    """Return a bench with texts that are safe to print: the file may come from a stranger."""
    question = asked.question
    texts = {name: _safe(getattr(question, name)) for name in ("bench_id", "unit", "old_side", "new_side")}
    problem = None if asked.problem is None else _safe(asked.problem) or "it failed, and the file does not say how"
    return replace(asked, question=replace(question, **texts), problem=problem)


def _safe(text: str) -> str:
    """Return `text` in one line of printable characters that no CI host takes for a command, of bounded length."""
    return _HOST_COMMAND.sub(
        lambda found: f"{found[1] or ''}\\x{ord(found[0][-1]):x}", printable(text[:_MAX_TEXT_LENGTH])
    )


def _contested(asked: SavedComparison, overrides: Mapping[str, object]) -> Comparison:
    rule = replace(asked.question.rule, **overrides)
    if not (0 <= rule.gate <= 1 and 0 < rule.alpha < 1):
        raise ValueError(f"{asked.question.bench_id}: gate {rule.gate:g}, alpha {rule.alpha:g}: no shares of one")
    comparison = Comparison(replace(asked.question, rule=rule))
    comparison.elapsed_s, comparison.problem = asked.elapsed_s, asked.problem
    return comparison
