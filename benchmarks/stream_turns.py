"""The arguments, the CPUs and the table that comparisons of uploads in turns share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NamedTuple

from aether_harness.machine.affinity import allowed_cpus, pin
from aether_schema import quantile
from aether_stream_bench.payload import Payload

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHARES = (0.5, 0.05, 0.95)


class Turns(NamedTuple):
    """The number of turns, and the uploads in each, from one CPU to the other."""

    turns: int
    uploads: int
    payload: Payload
    client_cpu: int
    server_cpu: int


def turns_of(description: str | None, *, turns: int, uploads: int) -> Turns:
    """Return the options of the command line, with defaults for `turns` and `uploads`, on the client's CPU."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=turns, help="of everything; %(default)s")
    parser.add_argument("--uploads", type=int, default=uploads, help="a turn; %(default)s")
    parser.add_argument("--payload", type=int, default=8 * 2**20, help="bytes; %(default)s")
    parser.add_argument("--chunk", type=int, default=128 * 2**10, help="bytes; %(default)s")
    options = parser.parse_args()
    cpus = allowed_cpus() or [0]
    pin([cpus[-1]])
    payload = Payload(size=options.payload, chunk=options.chunk, seed=1)
    return Turns(options.turns, options.uploads, payload, cpus[-1], cpus[0])


def print_table(asked: Turns, figures: Mapping[str, Sequence[float]]) -> None:
    """Print a line for everything that was measured, its figures in MB/s."""
    size, chunk = asked.payload.size, asked.payload.chunk
    print(f"client on CPU {asked.client_cpu}, servers on {asked.server_cpu}; {size} bytes, chunks of {chunk}\n")
    print(f"{'MB/s':<36}{'median':>9}{'p5':>9}{'p95':>9}")
    for name, values in figures.items():
        if values:
            print_line(name, values, ",.0f")


def print_line(name: str, values: Sequence[float], form: str) -> None:
    """Print the median, p5 and p95 of some values."""
    print(f"{name:<36}" + "".join(f"{quantile(values, share):>9{form}}" for share in SHARES))
