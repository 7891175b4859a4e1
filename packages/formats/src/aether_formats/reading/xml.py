"""XML without its dangerous features: a document type, and thus every entity, is rejected."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET
from xml.parsers import expat

from aether_formats.errors import ImportFileError

if TYPE_CHECKING:
    from collections.abc import Collection
    from xml.etree.ElementTree import Element

    from aether_formats.reading.document import Document

DEPTH_LIMIT = 200
ELEMENTS_LIMIT = 2_000_000
# With one comma alone, `1,234` may as well be a little more than one.
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:(?:,\d{3})+\.\d+|(?:,\d{3}){2,})")


class _Reading:
    """The elements so far, within the limits."""

    def __init__(self, texts: Collection[str]) -> None:
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse
        if texts:
            self.parser.CharacterDataHandler = self._data
        self.builder = ET.TreeBuilder()
        self._texts = texts
        self._depth = self._count = 0
        self._keeps_text = False

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth, self._count, self._keeps_text = self._depth + 1, self._count + 1, tag in self._texts
        if self._depth > DEPTH_LIMIT:
            raise ImportFileError("nested too deeply", place=f"line {self.parser.CurrentLineNumber}")
        if self._count > ELEMENTS_LIMIT:
            raise ImportFileError(f"more than {ELEMENTS_LIMIT:,} elements")
        self.builder.start(tag, attributes)

    def _end(self, tag: str) -> None:
        self._depth, self._keeps_text = self._depth - 1, False
        self.builder.end(tag)

    def _data(self, text: str) -> None:
        if self._keeps_text:
            self.builder.data(text)

    def _refuse(self, *_: object) -> None:
        raise ImportFileError("a document type is not read", place=f"line {self.parser.CurrentLineNumber}")


def parse_xml(document: Document, texts: Collection[str] = ()) -> Element:
    """Return the root element. Only elements called `texts` keep their text: elsewhere it is logs, without figures.

    Raises:
        ImportProblem: malformed, nested too deeply, too large, or with a document type of its own.

    """
    reading = _Reading(texts)
    try:
        reading.parser.Parse(document.data, True)
    except expat.ExpatError as error:
        raise ImportFileError(f"malformed XML: {expat.ErrorString(error.code)}", place=f"line {error.lineno}") from None
    except (ValueError, LookupError) as error:
        raise ImportFileError(f"malformed XML: {error}") from None
    return reading.builder.close()


def root_tag(beginning: bytes) -> str:
    """Return the name of the first element in the beginning of a document, or an empty one where there is none."""
    found: list[str] = []

    def stop(name: str, *_: object) -> None:
        found.append(name)
        raise StopIteration

    parser = expat.ParserCreate()
    parser.StartElementHandler = stop
    parser.StartDoctypeDeclHandler = stop
    with suppress(StopIteration, expat.ExpatError, ValueError, LookupError):
        parser.Parse(beginning.lstrip(), False)
    return found[0] if found else ""


def number_of(text: str | None, *, place: str) -> float:
    """Return an attribute as a number; `1,234.5` and `1,234,567` have commas between the thousands.

    Raises:
        ImportProblem: it is missing, no number, or like `1,234` with a comma that may be the decimal one.

    """
    if text is None:
        raise ImportFileError("missing", place=place)
    try:
        return float(text.replace(",", "") if _THOUSANDS.fullmatch(text.strip()) else text)
    except ValueError:
        problem = f"{text[:40]!r} is no number"
        hint = ": a comma may be decimal; let the tool write with the locale C" if "," in text else ""
        raise ImportFileError(problem + hint, place=place) from None
