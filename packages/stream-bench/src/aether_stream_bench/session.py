"""An open streaming bench: uploads as samples, their checks, and their costs."""

from __future__ import annotations

import sys
from time import monotonic, perf_counter_ns, process_time
from typing import TYPE_CHECKING

import msgspec

from aether_harness import BenchError, SampleResult
from aether_harness.machine.counters import peak_memory_bytes
from aether_schema import quantile
from aether_stream_bench.chunk_timer import chunk_times_ms
from aether_stream_bench.client.builtin import BuiltinClient
from aether_stream_bench.concurrency import aggregate_phases
from aether_stream_bench.endpoint import MAX_ROUND_S, MAX_UPLOADS
from aether_stream_bench.raw_throughput import raw_throughput_mbs
from aether_stream_bench.reference import CROSS_REFERENCE_ID, REFERENCE_ID
from aether_stream_bench.wire import STATISTICS_PATH, Statistics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aether_stream_bench.chunk_timer import ChunkTimer
    from aether_stream_bench.client.base import Client, Endpoint
    from aether_stream_bench.command import CommandUpload
    from aether_stream_bench.concurrency import UploadThreads
    from aether_stream_bench.payload import Payload
    from aether_stream_bench.reference import BurstReferences
    from aether_stream_bench.uploads import Uploader, UploadResult
    from aether_stream_bench.wire import Greeting, Receipt

GB = 1e9
COSTED_UPLOADS = 3
CHUNK_QUANTILES = {"chunk_p50_ms": 0.5, "chunk_p95_ms": 0.95}


class ServerClient:
    """The mock server as the bench sees it: its process, its counters, its raw port."""

    def __init__(self, endpoint: Endpoint, greeting: Greeting) -> None:
        """Ask the server that greeted with `greeting`."""
        self.endpoint = endpoint
        self.greeting = greeting
        self._client = BuiltinClient(endpoint)

    def close(self) -> None:
        """Close the connection by which it is asked."""
        self._client.close()

    def statistics(self) -> Statistics:
        """Return the counters so far."""
        reply = self._client.request("GET", STATISTICS_PATH, {}, None)
        return msgspec.json.decode(reply.body, type=Statistics)


class RoundTotals:
    """Bytes and costs of a round's samples, from the first to the last."""

    def __init__(self, payload: Payload, server: ServerClient | None) -> None:
        """Begin with nothing."""
        self._payload = payload
        self._server = server
        self._before: Statistics | None = None
        self._samples = self._bytes = self._retries = 0
        self._cpu_s = 0.0
        self._figures: list[float] = []
        #: How long the chunks of the samples took, where that is known.
        self.paces: list[ChunkTimer] = []
        self._began = monotonic()
        self._readings: dict[str, float] = {}

    def begin(self) -> None:
        """Read the server's counters before the first call, and enforce the limits for foreign servers.

        Raises:
            BenchError: a server of the user's own has had its share.

        """
        if self._server is not None:
            if self._before is None:
                self._before = self._server.statistics()
        elif self._samples >= MAX_UPLOADS or monotonic() - self._began > MAX_ROUND_S:
            raise BenchError(
                f"-p stream.url: a round sends at most {MAX_UPLOADS} samples, for {MAX_ROUND_S:g} s; ask for fewer"
            )

    def note(self, moved_bytes: int, elapsed_ns: int, cpu_s: float, retries: int) -> None:
        """Add a sample."""
        self._samples += 1
        self._bytes += moved_bytes
        self._cpu_s += cpu_s
        self._retries += retries
        self._figures.append(moved_bytes / max(elapsed_ns, 1) * 1e3)

    def close(self, upload: Callable[[], object] | None = None) -> None:
        """Work the figures out, the limit with them; nothing more is timed.

        The costs of an upload at a server that also does other work are measured by further uploads.
        """
        if not self._samples:
            return
        readings = {"uploader_cpu_s_per_gb": self._cpu_s / self._bytes * GB}
        peak = peak_memory_bytes()
        if peak is not None:
            readings["uploader_peak_memory_bytes"] = peak
        times = chunk_times_ms(self.paces, min(self._payload.chunk, self._payload.size), CHUNK_QUANTILES.values())
        readings |= dict(zip(CHUNK_QUANTILES, times, strict=False))
        if self._retries:
            readings["retries"] = self._retries / self._samples
        if self._server is not None and self._before is not None:
            before, moved_bytes = self._before, self._bytes
            if upload is not None:
                before, moved_bytes = self._server.statistics(), COSTED_UPLOADS * self._payload.size
                for _ in range(COSTED_UPLOADS):
                    upload()
            after = self._server.statistics()
            readings["server_cpu_s_per_gb"] = (after.cpu_s - before.cpu_s) / moved_bytes * GB
            if after.peak_memory_bytes is not None:
                readings["server_peak_memory_bytes"] = after.peak_memory_bytes
            readings["limit_mbs"] = raw_throughput_mbs(
                self._server.endpoint, self._server.greeting.raw_port, self._payload
            )
            readings["limit_share"] = quantile(self._figures, 0.5) / readings["limit_mbs"]
        self._readings = readings

    def readings(self) -> dict[str, float]:
        """Return the figures worked out."""
        return self._readings


class StreamSession:
    """One client, by which every sample uploads the payload."""

    def __init__(  # noqa: PLR0913 - what the parameters say
        self,
        client: Client,
        uploading: Uploader,
        payload: Payload,
        server: ServerClient | None,
        endpoint: Endpoint,
        *,
        reuse: bool = True,
        references: BurstReferences | None = None,
    ) -> None:
        """Upload `payload` as `uploading` does it by `client`, on a fresh connection each time unless `reuse`."""
        self._has_references = references is not None
        if references is not None:
            self.wake = references.wake
            self.rulers = {REFERENCE_ID: references.burst, CROSS_REFERENCE_ID: references.cross_burst}
        self.companion_pids = () if server is None else (server.greeting.pid,)
        self.payload = payload
        self.ledger = RoundTotals(payload, server)
        self.ledger.paces.append(uploading.pace)
        self._client = client
        self._uploading = uploading
        self._endpoint = endpoint
        self._reuse = reuse

    def upload(self) -> UploadResult:
        """Upload once and check that all came."""
        if not self._reuse:
            self._client.close()
        uploaded = self._uploading.upload()
        self._check_count(uploaded.receipt)
        return uploaded

    def sample(self) -> SampleResult:
        """Upload once and wait for the receipt."""
        self.ledger.begin()
        cpu_s, started = process_time(), perf_counter_ns()
        uploaded = self.upload()
        elapsed = perf_counter_ns() - started
        self.ledger.note(self.payload.size, elapsed, process_time() - cpu_s, uploaded.retries)
        return SampleResult(moved_bytes=self.payload.size, phases_ns=uploaded.phases_ns)

    def verify(self) -> None:
        """Upload once more, let the server hash the bytes, and then measure a raw socket."""
        self.ledger.close(self.upload if self._has_references else None)
        if not self._endpoint.is_mock_server:
            return
        receipt = self._uploading.upload(digest=True).receipt
        self._check_count(receipt)
        check_digest(receipt, self.payload)

    def readings(self) -> dict[str, float]:
        """Return the costs of the samples, and their share of the limit."""
        opening = {f"{name}_ms": elapsed / 1e6 for name, elapsed in self._client.opening_ns().items()}
        return {**self.ledger.readings(), **opening}

    def _check_count(self, receipt: Receipt | None) -> None:
        if self._endpoint.is_mock_server:
            check_count(receipt, self.payload)


class ConcurrentSession:
    """Several connections at once, or a schedule; a sample is a number of uploads."""

    def __init__(
        self, crew: UploadThreads, sessions: Sequence[StreamSession], *, uploads: int, rate: float | None
    ) -> None:
        """Upload `uploads` times a sample, at `rate` a second or as fast as it goes; the first session verifies."""
        first = sessions[0]
        first.ledger.paces = [pace for session in sessions for pace in session.ledger.paces]
        self.companion_pids = first.companion_pids
        self._crew = crew
        self._first = first
        self._uploads = uploads
        self._rate = rate

    def sample(self) -> SampleResult:
        """Upload as often as a sample has it, and wait for all receipts."""
        self._first.ledger.begin()
        cpu_s, started = process_time(), perf_counter_ns()
        timed = self._crew.run(self._uploads, self._rate)
        elapsed = perf_counter_ns() - started
        moved = self._uploads * self._first.payload.size
        retries = sum(each.uploaded.retries for each in timed)
        self._first.ledger.note(moved, elapsed, process_time() - cpu_s, retries)
        return SampleResult(moved_bytes=moved, phases_ns=aggregate_phases(timed, scheduled=self._rate is not None))

    def verify(self) -> None:
        """Check one more upload."""
        self._first.verify()

    def readings(self) -> dict[str, float]:
        """Return the costs of the samples, and their share of the limit."""
        return self._first.readings()


class CommandSession:
    """A command that uploads a file; the mock server checks it."""

    def __init__(self, upload: CommandUpload, payload: Payload, server: ServerClient | None) -> None:
        """Upload `payload` by `upload` to `server`, None for the user's own."""
        self.companion_pids = () if server is None else (server.greeting.pid,)
        self._upload = upload
        self._payload = payload
        self._server = server
        self._ledger = RoundTotals(payload, server)

    def sample(self) -> SampleResult:
        """Run the command once; its start is part of it."""
        self._ledger.begin()
        cpu_s = children_cpu_s()
        elapsed = self._run()
        self._ledger.note(self._payload.size, elapsed, children_cpu_s() - cpu_s, 0)
        return SampleResult(moved_bytes=self._payload.size, elapsed_ns=elapsed)

    def verify(self) -> None:
        """Run it once more and let the server hash the bytes."""
        self._ledger.close()
        if self._server is not None:
            self._run(digest=True)
            check_digest(self._server.statistics().last, self._payload)

    def readings(self) -> dict[str, float]:
        """Return the costs of the samples, and their share of the limit."""
        return self._ledger.readings()

    def _run(self, *, digest: bool = False) -> int:
        before = None if self._server is None else self._server.statistics()
        elapsed = self._upload.run(digest=digest)
        if self._server is not None and before is not None:
            after = self._server.statistics()
            if after.uploads - before.uploads != 1:
                raise BenchError(f"the command made {after.uploads - before.uploads} uploads, not 1")
            check_count(after.last, self._payload)
        return elapsed


def check_count(receipt: Receipt | None, payload: Payload) -> None:
    """Make sure that all bytes came.

    Raises:
        BenchError: they did not.

    """
    if receipt is None or receipt.bytes != payload.size:
        came = "none" if receipt is None else receipt.bytes
        raise BenchError(f"the server took in {came} bytes of {payload.size}")


def check_digest(receipt: Receipt | None, payload: Payload) -> None:
    """Make sure that the bytes came that were sent.

    Raises:
        BenchError: others came.

    """
    sha256 = None if receipt is None else receipt.sha256
    if sha256 != payload.sha256():
        raise BenchError(f"the server took in other bytes than were sent: SHA-256 {sha256}")


def children_cpu_s() -> float:
    """Return the CPU seconds of the finished children of this process."""
    if sys.platform == "win32":
        return 0.0
    import resource

    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
