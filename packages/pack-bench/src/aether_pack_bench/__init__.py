"""A bench of packaging an artifact: walk, hash, manifest, reproducible archive."""

from __future__ import annotations

from aether_pack_bench.__about__ import __version__

__all__ = ["__version__"]
