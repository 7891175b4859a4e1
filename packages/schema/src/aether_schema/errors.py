"""Errors of a summary file: one line that names the file and the key."""

from __future__ import annotations

import re

# Text that CI hosts take for a command: `::error::` at the start of a line, `##[error]` anywhere.
_COMMAND_AT_START = re.compile(r"^( *):(?=:)")
_COMMAND_ANYWHERE = re.compile(r"#(?=#\w*\[)")


def printable(text: str) -> str:
    """Return `text` with everything escaped that could break a line of output, forge one, or command a CI host."""
    if not text.isprintable():
        text = "".join(
            character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
            for character in text
        )
    if "::" in text or "##" in text:
        text = _COMMAND_ANYWHERE.sub(r"\\x23", _COMMAND_AT_START.sub(r"\1\\x3a", text))
    return text


class SchemaError(Exception):
    """The root of this package's errors."""


class InvalidSummaryError(SchemaError):
    """The bytes are not a summary. `key` is empty where the whole document is at fault."""

    def __init__(self, problem: str, *, key: str = "") -> None:
        """Keep the problem and its key."""
        self.problem = printable(problem)
        self.key = printable(key)
        super().__init__(f"{self.key}: {self.problem}" if key else self.problem)


class SummaryFileError(SchemaError):
    """A summary file is missing, unreadable, invalid or cannot be written: `path: key: problem`."""

    def __init__(self, path: str, problem: str, *, missing: bool = False) -> None:
        """Keep the path as the user wrote it, and whether the file was simply not there."""
        self.path = path
        self.problem = problem
        self.missing = missing
        super().__init__(f"{printable(path)}: {problem}")
