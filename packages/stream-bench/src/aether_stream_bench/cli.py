"""`aether-stream-bench`: the mock server for any uploader."""

from __future__ import annotations

import argparse
import signal
import sys
import textwrap
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio
from msgspec.structs import fields

from aether_harness import HarnessError
from aether_harness.benchmark.parameters import ParamsT, build_params
from aether_stream_bench.__about__ import __version__
from aether_stream_bench.server.faults import FaultConfig
from aether_stream_bench.server.limits import Limits
from aether_stream_bench.server.server import mock_server, raise_fd_limit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from anyio.abc import TaskStatus

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

EXAMPLE = """example:
  aether-stream-bench serve --port 8080 --bandwidth 10M --fail-every 3
  curl -T big.bin http://127.0.0.1:8080/

It listens on 127.0.0.1 only and keeps nothing of what it takes in. PUT and POST
are answered with the count, and with the SHA-256 where the request has the
header `aether-digest: sha256`. GET /-/statistics tells what it has done.

exit status:
  0    the time was up
  1    it cannot listen on the port
  2    usage
  130  interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `aether-stream-bench` and return its exit status."""
    options = build_parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        conditions = _from_options(FaultConfig, options)
        limits = _from_options(Limits, options)
        return EXIT_INTERRUPTED if anyio.run(serve, options, conditions, limits) else EXIT_OK
    except HarnessError as error:
        return _fail(error, EXIT_USAGE)
    except OSError as error:
        return _fail(f"--port {options.port}: {(error.strerror or str(error)).lower()}", EXIT_FAILED)
    except OverflowError:
        return _fail(f"--port {options.port}: takes 0 to 65535", EXIT_USAGE)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


async def serve(options: argparse.Namespace, conditions: FaultConfig, limits: Limits) -> bool:
    """Serve until interrupted, or for the given time; then print the counters. Return whether it was interrupted."""
    raise_fd_limit()
    interrupted = False
    async with (
        mock_server(port=options.port, tls=options.tls, conditions=conditions, limits=limits) as server,
        interruption() as told,
    ):
        if options.authority and server.certificate:
            await anyio.Path(options.authority).write_text(server.certificate, encoding="ascii")
        print(server.url, flush=True)
        try:
            with anyio.move_on_after(options.time):
                await told.wait()
                interrupted = True
        finally:
            done = server.statistics()
            with suppress(OSError):
                print(
                    f"{done.connections} connections, {done.uploads} uploads, {done.received} bytes taken in, "
                    f"{done.refused} requests refused",
                    file=sys.stderr,
                )
    return interrupted


@asynccontextmanager
async def interruption() -> AsyncIterator[anyio.Event]:
    """Yield an event that is set on a request to end this process; on Windows it raises KeyboardInterrupt as usual."""
    told = anyio.Event()

    async def listen(*, task_status: TaskStatus[None]) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            async for _ in signals:
                told.set()

    async with anyio.create_task_group() as tasks:
        if sys.platform != "win32":
            await tasks.start(listen)
        yield told
        tasks.cancel_scope.cancel()


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of `aether-stream-bench`."""
    parser = argparse.ArgumentParser(prog="aether-stream-bench", description="The mock server of the streaming bench.")
    parser.add_argument("--version", action="version", version=f"aether-stream-bench {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    serving = commands.add_parser(
        "serve",
        help="take uploads, count them, and keep nothing",
        description="Take uploads, count them, and keep nothing.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EXAMPLE,
    )
    serving.add_argument("--port", type=int, default=0, metavar="N", help="0, the default, is one that is free")
    serving.add_argument("--tls", action="store_true", help="with a certificate made now (needs the extra `tls`)")
    serving.add_argument("--authority", metavar="FILE", help="write the authority of the certificate there")
    serving.add_argument("--time", type=float, metavar="S", help="stop after so many seconds")
    for title, params_type in (("conditions", FaultConfig), ("limits", Limits)):
        text = textwrap.fill(" ".join((params_type.__doc__ or "").replace("`", "").split()), 78)
        group = serving.add_argument_group(title, text)
        for field in fields(params_type):
            option = f"--{field.name.replace('_', '-')}"
            group.add_argument(option, metavar="N", help=f"{field.default:,}")
    return parser


def _from_options(params_type: type[ParamsT], options: argparse.Namespace) -> ParamsT:
    """Return the options that are fields of `params_type`."""
    names = [field.name for field in fields(params_type)]
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return build_params(params_type, "serve", given, option="--")


def _fail(error: object, status: int) -> int:
    print(f"aether-stream-bench: {error}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
