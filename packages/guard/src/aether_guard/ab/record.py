"""Pairs kept in a file, JSON lines, to be decided again from them: what `--save` writes and `--replay` reads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from aether_guard.ab.contest import Contested, Question
from aether_guard.ab.duel import Drawn
from aether_guard.error import GuardError
from aether_schema import SIZE_LIMIT_BYTES, SchemaError, printable, write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FORMAT_VERSION = 1


class Asked(Struct, frozen=True, kw_only=True):
    """One bench as the first line has it. `problem` is what ended it."""

    question: Question
    elapsed_s: float
    problem: str | None = None


class Header(Struct, frozen=True, kw_only=True):
    """The first line: the version of this format, the seed of all orders, and the benches."""

    aether_ab: int
    seed: int
    benches: tuple[Asked, ...]


class Line(Struct, frozen=True, kw_only=True):
    """Every other line: a pair, of the bench with this place in the first line, counted from 0."""

    bench: int
    pair: Drawn


def save(path: str, benches: Sequence[Contested], seed: int) -> None:
    """Write every pair to the file `path`.

    Raises:
        GuardError: it cannot be written.

    """
    asked = tuple(Asked(question=item.question, elapsed_s=item.elapsed_s, problem=item.problem) for item in benches)
    lines: list[Struct] = [Header(aether_ab=FORMAT_VERSION, seed=seed, benches=asked)]
    lines += [Line(bench=index, pair=drawn) for index, item in enumerate(benches) for drawn in item.drawn]
    try:
        write_atomically(path, b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    except SchemaError as error:
        raise GuardError(str(error)) from None


def replay(path: str, wishes: Mapping[str, object]) -> tuple[list[Contested], int]:
    """Return the benches of the file `path` with all their pairs, and the seed.

    `wishes` are fields of the rule that stand over those the pairs were taken for.

    Raises:
        GuardError: it cannot be read or is none of ours; the message names the line.

    """
    try:
        if os.path.getsize(path) > SIZE_LIMIT_BYTES:
            raise GuardError(f"{printable(path)}: larger than {SIZE_LIMIT_BYTES // 2**20} MiB")
        with open(path, "rb") as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise GuardError(f"{printable(path)}: {(error.strerror or str(error)).lower()}") from None
    decode = msgspec.json.Decoder(Line).decode
    number = 1
    try:
        header = msgspec.json.decode(lines[0] if lines else b"", type=Header)
        if header.aether_ab != FORMAT_VERSION:
            raise ValueError(f"aether_ab: version {header.aether_ab}, and {FORMAT_VERSION} is the one that is known")
        benches = [_contested(asked, wishes) for asked in header.benches]
        bet: list[Line] = []
        for number, text in enumerate(lines[1:], start=2):  # noqa: B007 - the messages below name it
            line = decode(text)
            if bet and (line.bench, line.pair.life) != (bet[0].bench, bet[0].pair.life):
                _add(benches, bet)
                bet = []
            bet.append(line)
        _add(benches, bet)
    except IndexError:
        raise GuardError(f"{printable(path)}: line {number}: bench: there is none with this place") from None
    except (msgspec.MsgspecError, GuardError, ValueError, OverflowError, RecursionError) as error:
        raise GuardError(f"{printable(path)}: line {number}: {printable(str(error))}") from None
    if not benches:
        raise GuardError(f"{printable(path)}: line 1: benches: there is none")
    return benches, header.seed


def _add(benches: Sequence[Contested], bet: Sequence[Line]) -> None:
    if bet:
        index = bet[0].bench
        benches[index if index >= 0 else len(benches)].add([line.pair for line in bet])


def _contested(asked: Asked, wishes: Mapping[str, object]) -> Contested:
    rule = replace(asked.question.rule, **wishes)
    contested = Contested(replace(asked.question, rule=rule))
    contested.elapsed_s, contested.problem = asked.elapsed_s, asked.problem
    return contested
