"""Writing summaries as other tools read them. One module a format, each a pure function to text."""

from __future__ import annotations
