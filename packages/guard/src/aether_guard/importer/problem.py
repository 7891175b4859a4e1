"""What can be wrong with another tool's file, in one line."""

from __future__ import annotations

from aether_guard.error import GuardError
from aether_schema import printable

_LONGEST = 400


class ImportFileError(GuardError):  # noqa: N818 - it names what is wrong with a file, as the guard's `Problem` does
    """A file that is not what its format promises; the message names the place in it, not yet the file."""

    def __init__(self, problem: str, *, place: str = "") -> None:
        """Keep one printable line: where in the file, and what is wrong there."""
        # Cut first: of a long text each character would be looked at.
        line = printable(f"{place[:_LONGEST]}: {problem[: 2 * _LONGEST]}" if place else problem[: 2 * _LONGEST])
        super().__init__(line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…")
