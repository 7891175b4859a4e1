"""A process that has imported a bench and forks workers of it: `python -m aether_harness.forking`.

Starting an interpreter and importing take longer than a few samples do, and are alike every time; a fork leaves them
out. It is a process of its own in all that it writes to: its memory, and so the physical pages that this lies in,
its bench's set-up and its folder. What it has in common with its siblings is the layout of addresses and the hash
seed. It is asked over a socket at its standard input, and ends, as do its forks, when the other end is closed.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
import traceback
from time import process_time
from typing import TYPE_CHECKING, NoReturn

import msgspec
from msgspec import Struct

from aether_harness.error import described_error
from aether_harness.lifeline import die_with_parent, hold_on_to
from aether_harness.registry import load_bench
from aether_harness.system import has_one_thread
from aether_harness.target import Address
from aether_harness.worker import Loaded, serve, take_standard_streams

if TYPE_CHECKING:
    from collections.abc import Sequence

FORKING_VERSION = 1
#: What a message and the descriptors with it take at most.
MESSAGE_BYTES = 65536
#: Standard input, output and error stream of the fork, and its end of the lifeline.
DESCRIPTORS = 4


class Load(Struct, frozen=True, tag=True):
    """Import the bench at `address`, whose workers will be wanted, to be opened with `params`."""

    address: Address
    params: msgspec.Raw


class Fork(Struct, frozen=True, tag=True):
    """Fork a worker, with the descriptors that come with this message."""


class Reap(Struct, frozen=True, tag=True):
    """Say how the fork `pid` ended; with `wait`, once it has."""

    pid: int
    wait: bool


class Ready(Struct, frozen=True, tag=True):
    """The bench is imported, by `cpu_s` of CPU time, and can be forked; `problem` says why not."""

    version: int
    problem: str | None = None
    cpu_s: float = 0.0


class Born(Struct, frozen=True, tag=True):
    """The fork's number."""

    pid: int


class Reaped(Struct, frozen=True, tag=True):
    """The exit status, negative for a signal; None while it runs."""

    status: int | None


encode = msgspec.json.Encoder().encode
decode_order = msgspec.json.Decoder(Load | Fork | Reap).decode
decode_answer = msgspec.json.Decoder(Ready | Born | Reaped).decode


def main() -> None:
    """Do what is asked for until nobody is there to ask."""
    die_with_parent()
    line = socket.socket(fileno=os.dup(0))
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    loaded: Loaded | None = None
    while True:
        text, descriptors, _, _ = socket.recv_fds(line, MESSAGE_BYTES, DESCRIPTORS)
        if not text:
            return
        order = decode_order(text)
        answer: Ready | Born | Reaped
        if isinstance(order, Load):
            loaded, answer = _load(order)
        elif isinstance(order, Reap):
            answer = Reaped(_reap(order))
        else:
            answer = Born(_fork(line, descriptors, loaded))
        line.sendall(encode(answer))


def _load(order: Load) -> tuple[Loaded | None, Ready]:
    try:
        bench = load_bench(order.address)
        params = msgspec.json.decode(order.params, type=bench.params_type)
        if (preload := getattr(bench, "preload", None)) is not None:
            preload(params)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - somebody else's module, at import
        return None, Ready(FORKING_VERSION, described_error(error))
    if not has_one_thread():
        # A fork has the locks that they hold, and not the threads.
        return None, Ready(FORKING_VERSION, "importing it starts threads")
    loaded = Loaded(order.address, bench)
    sys.stdout.flush()
    sys.stderr.flush()
    # What all forks share stays shared: no collection of theirs writes to it.
    gc.collect()
    gc.freeze()
    return loaded, Ready(FORKING_VERSION, cpu_s=process_time())


def _fork(line: socket.socket, descriptors: Sequence[int], loaded: Loaded | None) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        line.close()
        _live(parent, descriptors, loaded)
    for descriptor in descriptors:
        os.close(descriptor)
    return pid


def _live(parent: int, descriptors: Sequence[int], loaded: Loaded | None) -> NoReturn:
    """Be a worker, and end."""
    status = 1
    try:
        os.setsid()
        die_with_parent()
        if os.getppid() == parent:  # and not gone before that could be asked for
            for number, descriptor in enumerate(descriptors[:-1]):
                os.dup2(descriptor, number)
                os.close(descriptor)
            hold_on_to(descriptors[-1])
            serve(*take_standard_streams(), loaded)
            status = 0
    except BaseException:  # noqa: BLE001 - it must not go on as a second parent
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _reap(order: Reap) -> int | None:
    try:
        pid, status = os.waitpid(order.pid, 0 if order.wait else os.WNOHANG)
    except ChildProcessError:
        return 0
    return os.waitstatus_to_exitcode(status) if pid else None


if __name__ == "__main__":
    main()
