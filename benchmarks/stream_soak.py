"""A seeded soak: all kinds of upload by all installed uploaders under changing conditions, every byte accounted for.

Each turn draws a server, an uploader, a kind and a size, and uploads a few times with retries and a digest. The
servers, one per set of faults, with and without TLS, and the uploaders, one process each, run from the beginning to the
end. At the end the servers' receipts must equal the uploads, and no memory may have grown.

Memory is the resident memory after a turn. An uploader's allocator first returns free memory (Linux), because the
amount it keeps depends on the drawn sizes. Growth is the slope over the second half of the soak, the median of the
slopes between all pairs of points (Theil and Sen), times the length of that half.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import multiprocessing
import random
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from itertools import combinations
from typing import TYPE_CHECKING, get_args

import psutil
from msgspec import Struct

from aether_harness import UsageError
from aether_stream_bench.client.base import Endpoint, load_uploader, uploader_names
from aether_stream_bench.payload import Payload
from aether_stream_bench.server import FaultConfig
from aether_stream_bench.server_process import ServerConfig, running_server
from aether_stream_bench.session import ServerClient, check_count, check_digest
from aether_stream_bench.uploads import Kind, Uploader

if TYPE_CHECKING:
    from collections.abc import Sequence

UPLOADS = 3
RETRIES = 20
CONDITIONS = (
    FaultConfig(),
    FaultConfig(latency_ms=2, jitter_ms=2),
    FaultConfig(bandwidth=20_000_000),
    FaultConfig(drain_delay_ms=0.2),
    FaultConfig(stall_after=50_000, stall_ms=20),
    FaultConfig(disconnect_after=300_000, disconnect_every=2),
    FaultConfig(busy_every=2, retry_after_s=0),
    FaultConfig(fail_every=2),
)
MIB = 2**20
#: The maximum growth of a process in the second half that counts as flat.
MOST_GROWTH_BYTES = MIB
#: The number of evenly spread points of a series to compare; more make no difference.
MOST_POINTS = 400


class Turn(Struct, frozen=True):
    """The result of a turn: retries, and the uploader's resident memory before and after its allocator's turn."""

    retries: int
    peak: int
    resident: int


class Series:
    """The resident memory of one process over time."""

    def __init__(self) -> None:
        """Begin with no point."""
        self.points: list[tuple[float, int]] = []

    def add(self, at_s: float, resident: int) -> None:
        """Add a point."""
        self.points.append((at_s, resident))

    def growth(self, from_s: float) -> float:
        """Return by how many bytes it has grown since `from_s`, by the slope."""
        late = [point for point in self.points if point[0] >= from_s]
        late = late[:: max(1, len(late) // MOST_POINTS)]
        if len(late) < 2:
            return 0.0
        slopes = [(after[1] - before[1]) / (after[0] - before[0]) for before, after in combinations(late, 2)]
        return statistics.median(slopes) * (late[-1][0] - late[0][0])


def main() -> None:
    """Upload until the time is up, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time", type=float, default=300, help="seconds; %(default)s")
    parser.add_argument("--seed", type=int, default=20260101)
    options = parser.parse_args()
    draw = random.Random(options.seed)  # noqa: S311 - a choice, not a secret
    names = []
    for name in uploader_names():
        try:
            load_uploader(name)
            names.append(name)
        except UsageError as error:
            print(f"left out: {error}")
    with ExitStack() as stack:
        settings = [ServerConfig(conditions=each, tls=tls) for each in CONDITIONS for tls in (False, True)]
        greetings = [stack.enter_context(running_server((), setting)) for setting in settings]
        endpoints = [
            Endpoint(
                host="127.0.0.1",
                port=each.port,
                tls=each.certificate is not None,
                certificate=each.certificate,
                time_limit_s=30,
            )
            for each in greetings
        ]
        spawn = multiprocessing.get_context("spawn")
        workers = {name: stack.enter_context(ProcessPoolExecutor(1, spawn)) for name in names}
        expected = [0] * len(greetings)
        servers_memory, uploaders_memory = [Series() for _ in greetings], {name: Series() for name in names}
        uploads = retries = turns = peak = 0
        began = time.monotonic()
        while (at := time.monotonic() - began) < options.time:
            name, kind, number = draw.choice(names), draw.choice(get_args(Kind)), draw.randrange(len(greetings))
            size, chunk = draw.randrange(1, 2_000_000), draw.choice((1000, 4096, 65_536))
            turn = workers[name].submit(soak, name, endpoints[number], size, chunk, turns, kind).result()
            turns, uploads, retries = turns + 1, uploads + UPLOADS, retries + turn.retries
            peak = max(peak, turn.peak)
            expected[number] += UPLOADS * size
            uploaders_memory[name].add(at, turn.resident)
            servers_memory[number].add(at, psutil.Process(greetings[number].pid).memory_info().rss)
        for greeting, endpoint, setting, count in zip(greetings, endpoints, settings, expected, strict=True):
            server = ServerClient(endpoint, greeting)
            told = server.statistics()
            server.close()
            if told.receipted != count:
                raise SystemExit(f"seed {options.seed}, {setting}: {told.receipted} bytes receipted, {count} uploaded")
    print(f"seed {options.seed}: {options.time:g} s, {uploads:,} uploads, {sum(expected) / 1e9:.2f} GB")
    print(f"all accounted for by {len(greetings)} servers; {retries:,} retries; uploaders at most {peak / MIB:.0f} MiB")
    print(f"\n{'resident memory, MiB':<36}{'at half':>9}{'at end':>9}{'growth':>9}")
    grown = [judged(f"uploader {name}", [series], options.time / 2) for name, series in uploaders_memory.items()]
    for tls in (False, True):
        chosen = [series for series, setting in zip(servers_memory, settings, strict=True) if setting.tls is tls]
        grown.append(judged(f"{len(chosen)} servers{', TLS' if tls else ''}, the worst", chosen, options.time / 2))
    if any(grown):
        raise SystemExit(f"memory is not flat: more than {MOST_GROWTH_BYTES / MIB:g} MiB in {options.time / 2:g} s")
    print(f"flat: none has grown by {MOST_GROWTH_BYTES / MIB:g} MiB in the last {options.time / 2:g} s")


def judged(what: str, several: Sequence[Series], half_s: float) -> bool:
    """Print the series that grows the most and return whether that is too much."""
    worst = max(several, key=lambda series: series.growth(half_s))
    growth = worst.growth(half_s)
    late = [resident for at_s, resident in worst.points if at_s >= half_s] or [worst.points[-1][1]]
    print(f"{what:<36}{late[0] / MIB:>9.1f}{late[-1] / MIB:>9.1f}{growth / MIB:>+9.2f}")
    return growth > MOST_GROWTH_BYTES


def soak(name: str, endpoint: Endpoint, size: int, chunk: int, seed: int, kind: Kind) -> Turn:  # noqa: PLR0913, PLR0917 - a turn
    """Upload a few times by one uploader, in its process, and return the results."""
    payload = Payload(size=size, chunk=chunk, seed=seed)
    client = load_uploader(name)(endpoint)
    try:
        uploading = Uploader(client, endpoint, payload, kind=kind, retries=RETRIES)
        done = [uploading.upload(digest=True) for _ in range(UPLOADS)]
    finally:
        client.close()
    for each in done:
        check_count(each.receipt, payload)
        check_digest(each.receipt, payload)
    own = psutil.Process()
    peak = own.memory_info().rss
    del payload, uploading, client
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    return Turn(sum(each.retries for each in done), peak, own.memory_info().rss)


if __name__ == "__main__":
    main()
