"""Thin the samples in a JSON text that is too large to be read whole, in one pass and bounded memory.

Long arrays are thinned evenly: every second number is kept, or every fourth and so on, starting with the first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

#: Maximum count of numbers kept from an array. Thinning keeps more than half as many. A verdict needs no more.
MAX_KEPT = 20_000
#: The characters of numbers, NaN and Infinity, and of the separators between them.
_NUMBERS = b"0123456789+-.eE, \t\r\nNaInfity"
_MAX_NUMBER_LENGTH = 2**20
#: Bytes searched again with the next piece, to find a key, colon and bracket that are split between two pieces.
_REACH = 256


def thinned_length(count: int) -> int:
    """Return how many of an array's `count` numbers are kept."""
    stride = 1
    while -(-count // stride) > MAX_KEPT:
        stride *= 2
    return -(-count // stride)


def thin(pieces: Iterable[bytes], keys: Iterable[str]) -> Iterator[bytes]:
    """Yield a JSON text with the long arrays of numbers under `keys` thinned, and the rest unchanged."""
    names = b"|".join(re.escape(key).encode() for key in keys)
    # This cannot match inside a string, where quotes are escaped.
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
            is_odd = len(text) - at > _MAX_NUMBER_LENGTH and not part
            if is_odd or part.translate(None, _NUMBERS):  # not an array of numbers: leave it unchanged
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
    """The numbers of one array in the order of the text, thinned whenever there are more than MOST_KEPT."""

    def __init__(self) -> None:
        self._stride = 1
        self._count = 0
        self._kept: list[bytes] = []
        self._is_open = False

    def add(self, part: bytes) -> None:
        """Add numbers separated by commas; a comma at the end means that more follow."""
        if not part.strip():
            return
        self._is_open = part.rstrip().endswith(b",")
        numbers = part.split(b",")
        if self._is_open:
            numbers.pop()
        self._kept += numbers[-self._count % self._stride :: self._stride]
        self._count += len(numbers)
        while len(self._kept) > MAX_KEPT:
            self._kept = self._kept[::2]
            self._stride *= 2

    def text(self) -> bytes:
        """Return the kept numbers, followed by a comma if the last part ended in one."""
        return b",".join(_compact(self._kept) if self._stride > 1 else self._kept) + (b"," if self._is_open else b"")


def _compact(numbers: Sequence[bytes]) -> Iterable[bytes]:
    return map(bytes.strip, numbers)
