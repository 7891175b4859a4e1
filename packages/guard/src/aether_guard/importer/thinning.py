"""Thin the samples in a JSON text that is too large to be read whole, in one pass and bounded memory.

The numbers of a long array are thinned evenly: every second, or every fourth and so on, beginning with the first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

#: At most so many numbers of an array are kept, and more than half as many: a verdict needs no more.
MOST_KEPT = 20_000
#: The characters of numbers, of NaN and Infinity, and those between them.
_NUMBERS = b"0123456789+-.eE, \t\r\nNaInfity"
_LONGEST_NUMBER = 2**20
#: A key, its colon and its bracket are found across pieces unless more white space than this stands between them.
_REACH = 256


def thinned_length(count: int) -> int:
    """Return how many numbers of an array of `count` are kept."""
    stride = 1
    while -(-count // stride) > MOST_KEPT:
        stride *= 2
    return -(-count // stride)


def thin(pieces: Iterable[bytes], keys: Iterable[str]) -> Iterator[bytes]:
    """Yield a JSON text with the long arrays of numbers under `keys` thinned, and all else as it is."""
    names = b"|".join(re.escape(key).encode() for key in keys)
    # Within a string the quotes would be escaped.
    opening = re.compile(rb'"(?:%s)"\s*:\s*\[' % names)
    text = b""
    array: _Array | None = None
    for piece in pieces:
        text, at = text + piece, 0
        while True:
            if array is None:
                found = opening.search(text, at)
                end = max(at, len(text) - _REACH) if found is None else found.end()
                yield text[at:end]
                at = end
                if found is None:
                    break
                array = _Array()
            end = text.find(b"]", at)
            part = text[at : end if end >= 0 else max(at, text.rfind(b",") + 1)]
            is_odd = len(text) - at > _LONGEST_NUMBER and not part
            if is_odd or part.translate(None, _NUMBERS):  # no array of numbers: it stays as it is
                yield array.text()
                array = None
                continue
            array.add(part)
            at += len(part)
            if end < 0:
                break
            yield array.text()
            array = None
        text = text[at:]
    if array is not None:
        yield array.text()
    yield text


class _Array:
    """The numbers of one array as they are met, thinned whenever they become too many."""

    def __init__(self) -> None:
        self._stride = 1
        self._count = 0
        self._kept: list[bytes] = []
        self._is_open = False

    def add(self, part: bytes) -> None:
        """Add numbers with the commas between them; a comma at the end says that more follow."""
        if not part.strip():
            return
        self._is_open = part.rstrip().endswith(b",")
        numbers = part.split(b",")
        if self._is_open:
            numbers.pop()
        self._kept += numbers[-self._count % self._stride :: self._stride]
        self._count += len(numbers)
        while len(self._kept) > MOST_KEPT:
            self._kept = self._kept[::2]
            self._stride *= 2

    def text(self) -> bytes:
        """Return the numbers that are kept, with a comma behind them where something follows."""
        return b",".join(_compact(self._kept) if self._stride > 1 else self._kept) + (b"," if self._is_open else b"")


def _compact(numbers: Sequence[bytes]) -> Iterable[bytes]:
    return map(bytes.strip, numbers)
