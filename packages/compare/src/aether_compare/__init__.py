"""Two versions measured in turn and compared by a sequential test, and the commit that made a bench slower."""

from __future__ import annotations

from aether_compare.__about__ import __version__

__all__ = ["__version__"]
