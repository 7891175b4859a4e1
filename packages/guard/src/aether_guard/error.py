"""What stops the guard before it can judge: usage and configuration. One line each, exit status 2."""

from __future__ import annotations


class GuardError(Exception):
    """The root of this package's errors; the message names what was wrong, where, and what to do."""
