"""Errors of usage and configuration: one line each, exit status 2."""

from __future__ import annotations

import os

from aether_schema import printable

#: Set in the environment, it has the traceback of an unexpected error printed.
TRACEBACK_VARIABLE = "AETHER_TRACEBACK"
_SHOWN_LENGTH = 300


class GuardError(Exception):
    """The root of this package's errors; the message names the problem, its place and a remedy."""


def explain(error: Exception) -> str:
    """Return one line about an error that no other code has handled, a defect of the guard or of a plugin.

    With `AETHER_TRACEBACK` set in the environment its traceback is printed first.
    """
    if os.environ.get(TRACEBACK_VARIABLE):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, RecursionError):
        return "the input is nested too deeply"
    if isinstance(error, MemoryError):
        return "the input is too large for this machine's memory"
    if isinstance(error, OSError) and error.filename is not None:
        return printable(f"{error.filename}: {(error.strerror or str(error)).lower()}")
    text = printable(" ".join(str(error).split())[:_SHOWN_LENGTH])
    hint = f"please report it with its traceback, which {TRACEBACK_VARIABLE}=1 prints"
    return f"unexpected {type(error).__name__}: {text}; {hint}"
