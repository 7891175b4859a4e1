"""Errors of measuring. Every message is one line that a user can act on."""

from __future__ import annotations

import os

from aether_schema import printable

#: The most characters of a foreign error's text that are shown.
MAX_PROBLEM_LENGTH = 500


def in_a_line(problem: str) -> str:
    """Return a problem in foreign words as one line of printable characters and bounded length."""
    shown = problem if len(problem) <= MAX_PROBLEM_LENGTH else f"{problem[:MAX_PROBLEM_LENGTH]}…"
    return printable(shown)


def described_error(error: BaseException) -> str:
    """Return one line for an error: its own words if it was meant for users, else also where it arose."""
    if isinstance(error, HarnessError):
        return in_a_line(str(error))
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({os.path.basename(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""
    return in_a_line(f"{type(error).__name__}: {error}") + where


class HarnessError(Exception):
    """The root of this package's errors."""


class UsageError(HarnessError):
    """The request is invalid: an unknown bench, a parameter of a wrong type."""


class BenchError(HarnessError):
    """Raised by a bench for a problem that its user can fix: an unreadable file, an unreachable server."""


class RoundError(HarnessError):
    """A round of a bench could not be finished: the bench raised, crashed, hung or answered nonsense."""

    def __init__(self, bench_id: str, round_number: int, step: str, problem: str) -> None:
        """Name the bench, the round (from 1), the failed step and the reason in one line."""
        self.bench_id = bench_id
        self.problem = in_a_line(problem)
        super().__init__(f"{printable(bench_id)}: round {round_number}: {step}: {self.problem}")
