"""The mock server as a process of its own: `python -m aether_stream_bench.server`.

Prints one JSON line, a `Greeting`, serves, and stops when its standard input is closed: it never outlives its parent.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import msgspec

from aether_harness.machine.affinity import pin
from aether_stream_bench.net.busy_poll import SpinSelector
from aether_stream_bench.server.server import mock_server, raise_fd_limit
from aether_stream_bench.server_process import ServerConfig
from aether_stream_bench.wire import Greeting

if TYPE_CHECKING:
    from collections.abc import Sequence


async def serve(cpus: Sequence[int], setting: ServerConfig) -> None:
    """Listen on free loopback ports, print them, and serve until the standard input is closed."""
    note = pin(cpus)
    raise_fd_limit()
    async with mock_server(
        tls=setting.tls, conditions=setting.conditions, limits=setting.limits, one_cpu=setting.one_cpu
    ) as server:
        greeting = Greeting(
            port=server.port, pid=os.getpid(), raw_port=server.raw_port, certificate=server.certificate, note=note
        )
        sys.stdout.buffer.write(msgspec.json.encode(greeting) + b"\n")
        sys.stdout.buffer.flush()
        await anyio.to_thread.run_sync(sys.stdin.buffer.read)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the server with `arguments`, by default those of the command line."""
    parser = argparse.ArgumentParser(prog="python -m aether_stream_bench.server", description="The mock server.")
    parser.add_argument("--cpus", type=int, nargs="*", default=(), metavar="CPU", help="CPUs to be pinned to")
    parser.add_argument("--setting", default="{}", metavar="JSON", help="TLS, conditions and limits")
    options = parser.parse_args(arguments)
    setting = msgspec.json.decode(options.setting, type=ServerConfig)
    loop_factory = partial(asyncio.SelectorEventLoop, SpinSelector()) if setting.is_busy else None
    anyio.run(serve, options.cpus, setting, backend_options={"loop_factory": loop_factory})


if __name__ == "__main__":
    main()
    # All is closed; to take the interpreter apart would take six times as long, and a bench waits for the end.
    os._exit(0)
