"""The mock server: takes uploads over HTTP/1.1 on the loopback, drains them as they come, and counts.

`mock_server` runs in this process, for tests; `aether_stream_bench.server_process.running_server` in a process of its
own; `aether-stream-bench serve` serves any uploader. Payloads are not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aether_stream_bench.server.faults import FaultConfig
from aether_stream_bench.server.limits import Limits

if TYPE_CHECKING:
    from aether_stream_bench.server.server import MockServer, mock_server

__all__ = ["FaultConfig", "Limits", "MockServer", "mock_server"]


def __getattr__(name: str) -> object:
    """Import the server itself only where it runs; other processes need its faults and limits."""
    if name not in {"MockServer", "mock_server"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from aether_stream_bench.server import server

    return getattr(server, name)
