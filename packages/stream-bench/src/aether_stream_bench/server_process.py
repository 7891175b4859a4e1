"""The mock server in a process of its own, as a bench or a test starts it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from aether_harness.machine.helper_process import helper_process
from aether_stream_bench.server.faults import FaultConfig
from aether_stream_bench.server.limits import Limits
from aether_stream_bench.wire import Greeting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class ServerConfig(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the server is to be; `is_busy` if it keeps its CPU while it waits, `one_cpu` if its client shares it."""

    tls: bool = False
    is_busy: bool = False
    one_cpu: bool = False
    conditions: FaultConfig = FaultConfig()
    limits: Limits = Limits()


@contextmanager
def running_server(
    cpus: Sequence[int],
    setting: ServerConfig | None = None,
    while_starting: Callable[[], object] | None = None,
    main: Callable[[Sequence[str]], object] | None = None,
) -> Iterator[Greeting]:
    """Start the mock server in a process of its own and yield its greeting; stop it at the end.

    `while_starting` is called while it starts. With `main`, the function of the imported server, it may be a fork.

    Raises:
        BenchError: the server did not come up.
        UsageError: TLS is asked for, and trustme is not installed.

    """
    if setting is not None and setting.tls:
        from aether_stream_bench.server.tls import require_trustme

        require_trustme()
    arguments = ["--cpus", *map(str, cpus)]
    if setting is not None:
        arguments += ["--setting", msgspec.json.encode(setting).decode()]
    server = helper_process(
        "aether_stream_bench.server",
        *arguments,
        cpus=cpus,
        while_starting=while_starting,
        name="the mock server",
        main=main,
    )
    with server as greeting:
        yield msgspec.json.decode(greeting, type=Greeting)
