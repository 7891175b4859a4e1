"""The streaming bench, as the harness finds it."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta, Struct

from aether_harness import BenchError, ByteCount, Place, Sampled
from aether_harness.companion import companion
from aether_stream_bench.__about__ import __version__
from aether_stream_bench.limit import CROSS_RULER_ID, RULER_ID, Limit
from aether_stream_bench.payload import Payload
from aether_stream_bench.server import Greeting
from aether_stream_bench.uploader import Uploader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aether_schema import Metric


class StreamParams(Struct, frozen=True, kw_only=True):
    """What is uploaded: `payload` seeded bytes, in HTTP chunks of `chunk` bytes.

    The server has CPUs of its own, and neither end sleeps while the other works; with `one_cpu` it runs on the
    uploader's, in turn with it. That is slower, and for machines that have no other.
    """

    payload: Annotated[ByteCount, Meta(ge=1)] = 8 * 2**20
    chunk: Annotated[ByteCount, Meta(ge=1, le=2**30)] = 128 * 2**10
    seed: int = 1
    one_cpu: bool = False


class StreamSession:
    """A connection to a server, over which every sample uploads the payload."""

    def __init__(self, uploader: Uploader, payload: Payload, server_pid: int, limit: Limit | None = None) -> None:
        """Upload `payload` by `uploader` to the server with the process id `server_pid`; `limit` brings the rulers."""
        self.companion_pids = (server_pid,)
        if limit is not None:
            self.wake = limit.wake
            self.rulers = {RULER_ID: limit.burst, CROSS_RULER_ID: limit.cross_burst}
        self._uploader = uploader
        self._payload = payload

    def sample(self) -> Sampled:
        """Upload once and wait for the receipt."""
        receipt = self._uploader.upload(self._payload)
        self._check_count(receipt.bytes)
        return Sampled(moved_bytes=receipt.bytes)

    def verify(self) -> None:
        """Upload once more and have the server hash what it gets."""
        receipt = self._uploader.upload(self._payload, digest=True)
        self._check_count(receipt.bytes)
        if receipt.sha256 != self._payload.sha256():
            raise BenchError(f"the server took in other bytes than were sent: SHA-256 {receipt.sha256}")

    def _check_count(self, count: int) -> None:
        if count != self._payload.size:
            raise BenchError(f"the server took in {count} bytes of {self._payload.size}")


class StreamingBench:
    """Streams an upload over HTTP/1.1 to a mock server in a process of its own."""

    bench_id = "streaming"
    name = "stream"
    about = "chunked HTTP upload to a mock server on the loopback"
    metric: Metric = "throughput_mbs"
    params_type = StreamParams
    reference = RULER_ID
    cross_reference = CROSS_RULER_ID
    versions: Mapping[str, str] = {
        "aether-stream-bench": __version__,
        **{name: version(name) for name in ("anyio", "h11", "httptools")},
    }

    @contextmanager
    def open(self, params: StreamParams, place: Place) -> Iterator[StreamSession]:
        """Start the server, connect, and yield the session."""
        payload = Payload(size=params.payload, chunk=params.chunk, seed=params.seed)
        cpus = place.worker_cpus if params.one_cpu else place.companion_cpus
        # Whoever has a CPU of its own need not sleep on it; a machine may have one for both, whatever is asked for.
        is_busy = bool(cpus) and set(cpus).isdisjoint(place.worker_cpus)
        one_cpu = bool(cpus) and not is_busy
        with (
            running_server(cpus, is_busy=is_busy, one_cpu=one_cpu) as greeting,
            Uploader(greeting.port, is_busy=is_busy, one_cpu=one_cpu) as uploader,
            Limit(greeting.limit_port, payload, is_busy=is_busy, one_cpu=one_cpu) as limit,
        ):
            yield StreamSession(uploader, payload, greeting.pid, limit)


streaming = StreamingBench()


@contextmanager
def running_server(cpus: Sequence[int], *, is_busy: bool = False, one_cpu: bool = False) -> Iterator[Greeting]:
    """Start the mock server in a process of its own and yield its greeting; stop it at the end.

    It keeps its CPUs while it waits, if `is_busy`, or shares `one_cpu` with its client.

    Raises:
        BenchError: the server did not come up.

    """
    arguments = ("--cpus", *map(str, cpus), *(["--busy"] if is_busy else []), *(["--one-cpu"] if one_cpu else []))
    with companion("aether_stream_bench.server", *arguments, name="the mock server") as greeting:
        yield msgspec.json.decode(greeting, type=Greeting)
