"""What can be wrong with a summary file, said in one line that names the file and the key."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return `text` with every character that could break or forge a line of output escaped."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in text
    )


class SchemaError(Exception):
    """The root of this package's errors."""


class InvalidSummaryError(SchemaError):
    """The bytes are not a summary. `key` is empty where the whole document is at fault."""

    def __init__(self, problem: str, *, key: str = "") -> None:
        """Keep the two parts: what is wrong, and under which key."""
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
