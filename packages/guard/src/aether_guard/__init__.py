"""Deciding: summaries are paired with their baselines, compared, and reported."""

from __future__ import annotations

from aether_guard.__about__ import __version__

__all__ = ["__version__"]
