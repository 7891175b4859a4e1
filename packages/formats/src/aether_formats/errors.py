"""Errors of importers and exporters, one line each."""

from __future__ import annotations

from aether_schema import SchemaError, printable

_MAX_LENGTH = 400


class FormatError(SchemaError):
    """The root of this package's errors: an unknown format, a plugin that fails, a figure that cannot be exported."""


class ImportFileError(FormatError):
    """A file that violates its format. The message names the place in the file, not the file."""

    def __init__(self, problem: str, *, place: str = "") -> None:
        """Keep one printable line: the place in the file, and the problem there."""
        # Cut before escaping, which looks at every character.
        line = printable(
            f"{place[:_MAX_LENGTH]}: {problem[: 2 * _MAX_LENGTH]}" if place else problem[: 2 * _MAX_LENGTH]
        )
        super().__init__(line if len(line) <= _MAX_LENGTH else f"{line[:_MAX_LENGTH]}…")
