"""Large scales: an upload of 10 GB, and 1,000 concurrent connections, with the memory of both sides."""

from __future__ import annotations

import argparse
import time

import psutil

from aether_stream_bench.client.base import Endpoint
from aether_stream_bench.client.builtin import BuiltinClient
from aether_stream_bench.concurrency import UploadThreads
from aether_stream_bench.payload import Payload
from aether_stream_bench.server.server import raise_fd_limit
from aether_stream_bench.server_process import running_server
from aether_stream_bench.session import ServerClient
from aether_stream_bench.uploads import Uploader

MIB = 2**20


def main() -> None:
    """Measure both and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bytes", type=int, default=10 * 10**9)
    parser.add_argument("--connections", type=int, default=1000)
    options = parser.parse_args()
    raise_fd_limit()
    with running_server(()) as greeting:
        endpoint = Endpoint(host="127.0.0.1", port=greeting.port)
        own, other = psutil.Process(), psutil.Process(greeting.pid)
        seen: list[tuple[int, int]] = []
        payload = Payload(size=options.bytes, chunk=128 * 1024, seed=1)

        class Watched(Payload):
            def __init__(self) -> None:
                self.size, self.chunk = payload.size, payload.chunk

            def pieces(self, most: int, start: int = 0, stop: int | None = None):  # type: ignore[no-untyped-def] # noqa: ANN202
                for number, piece in enumerate(payload.pieces(most, start, stop)):
                    if number % 2000 == 0:
                        seen.append((own.memory_info().rss, other.memory_info().rss))
                    yield piece

        with BuiltinClient(endpoint) as client:
            began = time.monotonic()
            receipt = Uploader(client, endpoint, Watched()).upload().receipt
            elapsed = time.monotonic() - began
        assert receipt is not None
        assert receipt.bytes == options.bytes
        print(f"{options.bytes / 1e9:g} GB in {elapsed:.1f} s, {options.bytes / elapsed / 1e6:,.0f} MB/s")
        for who, column in (("uploader", 0), ("server", 1)):
            values = [each[column] for each in seen[1:]] or [seen[0][column]]
            print(f"  {who}: {min(values) / MIB:.1f} to {max(values) / MIB:.1f} MiB")
    with running_server(()) as greeting:
        endpoint = Endpoint(host="127.0.0.1", port=greeting.port)
        own, other = psutil.Process(), psutil.Process(greeting.pid)
        payload = Payload(size=1_000_000, chunk=128 * 1024, seed=1)
        clients = [BuiltinClient(endpoint) for _ in range(options.connections)]
        for client in clients:
            client.connect()
        uploads = [Uploader(client, endpoint, payload).upload for client in clients]
        began = time.monotonic()
        with UploadThreads(uploads) as crew:
            done = crew.run(options.connections)
            elapsed = time.monotonic() - began
            mine, theirs = own.memory_info().rss, other.memory_info().rss
        server = ServerClient(endpoint, greeting)
        told = server.statistics()
        server.close()
        for client in clients:
            client.close()
    assert len(done) == options.connections
    assert told.uploads == options.connections
    assert told.receipted == options.connections * payload.size
    print(f"{told.connections - 1:,} connections at once, {told.uploads:,} uploads counted, in {elapsed:.1f} s")
    print(f"  uploader: {mine / MIB:.0f} MiB; server: {theirs / MIB:.0f} MiB")


if __name__ == "__main__":
    main()
