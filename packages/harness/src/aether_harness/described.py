"""Benches as another process needs them, to have them measured here: `python -m aether_harness.described`.

Reads one JSON object from the standard input, `{"names": […], "params": […]}`, as `aether-bench run` takes them,
and prints one JSON array of the benches. What it complains of is one line on the standard error stream.
"""

from __future__ import annotations

import os
import sys

import msgspec
from msgspec import Struct

from aether_harness.error import HarnessError
from aether_harness.target import Address
from aether_schema import Metric

EXIT_USAGE = 2


class Wanted(Struct, frozen=True, kw_only=True):
    """Which benches, and the parameters to set for them; all installed ones where none is named."""

    names: tuple[str, ...] = ()
    params: tuple[str, ...] = ()


class Described(Struct, frozen=True, kw_only=True):
    """A bench by what a worker has to be told of it, and what its figures are."""

    bench_id: str
    name: str
    metric: Metric
    address: Address
    params: msgspec.Raw


def describe(wanted: Wanted) -> list[Described]:
    """Return the wanted benches of this environment.

    Raises:
        HarnessError: one is not there, cannot be loaded, or has no such parameter.

    """
    from aether_harness.command.form import targets_of

    return [
        Described(
            bench_id=target.found.bench.bench_id,
            name=target.found.bench.name,
            metric=target.found.bench.metric,
            address=target.found.address,
            params=msgspec.Raw(msgspec.json.encode(target.params)),
        )
        for target in targets_of(wanted.names, wanted.params)
    ]


def main() -> int:
    """Answer and return the exit status."""
    # What a bench's file prints when it is loaded is not the answer.
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    try:
        described = describe(msgspec.json.decode(sys.stdin.buffer.read(), type=Wanted))
    except (HarnessError, msgspec.MsgspecError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    with answer:
        answer.write(msgspec.json.encode(described))
    return 0


if __name__ == "__main__":
    sys.exit(main())
