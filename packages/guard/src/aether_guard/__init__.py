"""Compare benchmark summaries with their baselines and report verdicts."""

from __future__ import annotations

from aether_guard.__about__ import __version__

__all__ = ["__version__"]
