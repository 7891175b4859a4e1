"""The history of benches: runs kept in files, and the changes found in them."""

from __future__ import annotations

from aether_history.__about__ import __version__

__all__ = ["__version__"]
