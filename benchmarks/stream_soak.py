"""A seeded soak: all kinds of upload by all installed uploaders under changing conditions, every byte accounted for.

Each turn draws an uploader, a kind, a size and conditions, and uploads a few times with retries and a digest. At
the end of every server's life what it receipted must be what was uploaded; memory on both sides is watched.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from typing import TYPE_CHECKING, get_args

import psutil

from aether_harness import UsageError
from aether_stream_bench.client.interface import Endpoint, load_uploader, uploader_names
from aether_stream_bench.kind import Kind, Uploading
from aether_stream_bench.payload import Payload
from aether_stream_bench.process import Setting, running_server
from aether_stream_bench.server import Conditions
from aether_stream_bench.session import Server, check_count, check_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether_stream_bench.client.interface import Client
    from aether_stream_bench.wire import Greeting

UPLOADS = 3
RETRIES = 20
CONDITIONS = (
    Conditions(),
    Conditions(latency_ms=2, jitter_ms=2),
    Conditions(bandwidth=20_000_000),
    Conditions(drain_delay_ms=0.2),
    Conditions(stall_after=50_000, stall_ms=20),
    Conditions(disconnect_after=300_000, disconnect_every=2),
    Conditions(busy_every=3, retry_after_s=0),
    Conditions(fail_every=3),
)


def main() -> None:
    """Upload until the time is up, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time", type=float, default=300, help="seconds; %(default)s")
    parser.add_argument("--seed", type=int, default=20260101)
    options = parser.parse_args()
    draw = random.Random(options.seed)  # noqa: S311 - a choice, not a secret
    openers = {}
    for name in uploader_names():
        try:
            openers[name] = load_uploader(name)
        except UsageError as error:
            print(f"left out: {error}")
    own = psutil.Process()
    uploads = retries = moved = 0
    memory: list[tuple[float, int]] = []
    server_memory: Counter[int] = Counter()
    began = time.monotonic()
    deadline = began + options.time
    number = 0
    while time.monotonic() < deadline:
        number += 1
        conditions = CONDITIONS[number % len(CONDITIONS)]
        tls = draw.random() < 0.3
        with running_server((), Setting(conditions=conditions, tls=tls)) as greeting:
            expected = 0
            segment = min(deadline, time.monotonic() + max(2.0, options.time / 40))
            while time.monotonic() < segment:
                name, kind = draw.choice(sorted(openers)), draw.choice(get_args(Kind))
                size, chunk = draw.randrange(1, 2_000_000), draw.choice((1000, 4096, 65_536))
                payload = Payload(size=size, chunk=chunk, seed=number)
                done = soak(openers[name], greeting, payload, kind)
                retries += done
                uploads += UPLOADS
                expected += UPLOADS * payload.size
            endpoint = endpoint_of(greeting)
            server = Server(endpoint, greeting)
            told = server.statistics()
            server.close()
            # A digest that was cut off before its answer may have been receipted twice, never less than once.
            if told.receipted < expected:
                raise SystemExit(f"seed {options.seed}, turn {number}: {told.receipted} bytes receipted of {expected}")
            if conditions.disconnect_after == 0 and told.receipted != expected:
                problem = f"{told.receipted} bytes receipted, {expected} sent"
                raise SystemExit(f"seed {options.seed}, turn {number}: {problem}")
            server_memory[number] = psutil.Process(greeting.pid).memory_info().rss
            moved += expected
        memory.append((time.monotonic() - began, own.memory_info().rss))
    print(f"seed {options.seed}: {uploads:,} uploads, {moved / 1e9:.2f} GB, all accounted for; {retries:,} retries")
    half = len(memory) // 2
    print(
        f"uploaders' memory: {max(rss for _, rss in memory[: half or 1]) / 2**20:.0f} MiB at most in the first half, "
        f"{max(rss for _, rss in memory[half:]) / 2**20:.0f} MiB in the second; "
        f"a server's: {max(server_memory.values()) / 2**20:.0f} MiB at most"
    )


def endpoint_of(greeting: Greeting) -> Endpoint:
    """Return where a server is."""
    tls = greeting.certificate is not None
    return Endpoint(host="127.0.0.1", port=greeting.port, tls=tls, certificate=greeting.certificate, time_limit_s=30)


def soak(opener: Callable[[Endpoint], Client], greeting: Greeting, payload: Payload, kind: Kind) -> int:
    """Upload a few times by one uploader and return how many retries that took."""
    endpoint = endpoint_of(greeting)
    client = opener(endpoint)
    try:
        uploading = Uploading(client, endpoint, payload, kind=kind, retries=RETRIES)
        done = [uploading.upload(digest=True) for _ in range(UPLOADS)]
    finally:
        client.close()
    for each in done:
        check_count(each.receipt, payload)
        check_digest(each.receipt, payload)
    return sum(each.retries for each in done)


if __name__ == "__main__":
    main()
