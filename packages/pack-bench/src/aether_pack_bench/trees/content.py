"""The content of seeded files: text, machine code and noise, the same bytes on every system and Python.

Use no float, hash or order that could differ between systems: only whole random bits.
"""

from __future__ import annotations

import random
from functools import lru_cache
from string import ascii_lowercase
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

ContentKind = Literal["text", "binary", "noise"]

POOL_BYTES = 2**20
PIECE_BYTES = 2**16
_WORDS = 4096
_OPCODES = 512
_TABLES = 64
_REGION_BITS = 15
_SLICE_BITS = 9
_SEPARATORS = (" ", " ", " ", ", ", "(", ") ", ".", " = ", "_", ": ", '"', "-")


def generate(kind: ContentKind, size: int, seed: int) -> Iterator[bytes]:
    """Yield the contents of one file, at most 64 KiB at a time.

    Each piece consists of slices of one region of a pool that all files share, with bytes exchanged by one of 64
    tables. A file thus resembles itself more than others, and a large window gains something.
    """
    draw = random.Random(seed)  # noqa: S311 - a tree to pack, not a secret
    if kind == "noise":
        for start in range(0, size, PIECE_BYTES):
            yield draw.randbytes(min(PIECE_BYTES, size - start))
        return
    pool, tables = _pool(kind), _tables(kind)
    while size > 0:
        length = min(size, PIECE_BYTES)
        table, region = tables[draw.getrandbits(6)], draw.getrandbits(20)
        slices: list[bytes] = []
        held = 0
        while held < length:
            start = region + draw.getrandbits(_REGION_BITS)
            part = pool[start : start + 64 + draw.getrandbits(_SLICE_BITS)]
            slices.append(part)
            held += len(part)
        yield b"".join(slices)[:length].translate(table)
        size -= length


@lru_cache(maxsize=2)
def _pool(kind: ContentKind) -> bytes:
    return _text() if kind == "text" else _binary()


def _text() -> bytes:
    """Return lines as source code has them: common words, indented, many lines much like others."""
    draw = random.Random(1)  # noqa: S311 - moments, not secrets
    words = [_word(draw) for _ in range(_WORDS)]
    lines: list[str] = []
    size = 0
    while size < POOL_BYTES + 2**16:
        if lines and draw.getrandbits(2) == 0:
            line = lines[_skewed(draw, len(lines))]
        else:
            count = 2 + draw.getrandbits(3)
            parts = [words[_skewed(draw, _WORDS)] + _SEPARATORS[draw.getrandbits(4) % 12] for _ in range(count)]
            line = "    " * draw.getrandbits(2) + "".join(parts) + "\n"
        lines.append(line)
        size += len(line)
    return "".join(lines).encode()


def _binary() -> bytes:
    """Return instructions as compiled code has them: few opcodes, small operands, now and then an address."""
    draw = random.Random(3)  # noqa: S311
    opcodes = [draw.randbytes(1 + draw.getrandbits(2)) for _ in range(_OPCODES)]
    code = bytearray()
    while len(code) < POOL_BYTES + 2**16:
        code += opcodes[_skewed(draw, _OPCODES)]
        choice = draw.getrandbits(3)
        if choice < 4:
            code.append(draw.getrandbits(5) * 8)
        elif choice == 4:
            code += draw.randbytes(2) + b"\0\0"
        elif choice == 5:
            code += bytes(draw.getrandbits(3))
    return bytes(code)


def _word(draw: random.Random) -> str:
    return "".join(ascii_lowercase[_skewed(draw, 26)] for _ in range(2 + draw.getrandbits(3)))


def _skewed(draw: random.Random, count: int) -> int:
    """Return a number below `count`, small ones more often: the product of two uniform numbers."""
    return draw.getrandbits(16) * draw.getrandbits(16) * count >> 32


@lru_cache(maxsize=2)
def _tables(kind: ContentKind) -> tuple[bytes, ...]:
    """Return tables that exchange letters in text, and in machine code all bytes but zero."""
    draw = random.Random(2)  # noqa: S311
    exchanged = ascii_lowercase.encode() if kind == "text" else bytes(range(1, 256))
    return tuple(bytes.maketrans(exchanged, _shuffled(draw, exchanged)) for _ in range(_TABLES))


def _shuffled(draw: random.Random, ordered: bytes) -> bytes:
    shuffled = bytearray(ordered)
    for last in range(len(shuffled) - 1, 0, -1):
        other = draw.getrandbits(16) % (last + 1)
        shuffled[last], shuffled[other] = shuffled[other], shuffled[last]
    return bytes(shuffled)
