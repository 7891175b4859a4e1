"""A bench of streaming an upload over HTTP to a mock server on the loopback."""

from __future__ import annotations

from aether_stream_bench.__about__ import __version__

__all__ = ["__version__"]
