"""Uploads from as many machines as Locust has workers: the bench's uploaders, payloads and checks as a Locust user.

    locust -f my_locustfile.py --master --host http://server:8080 …
    locust -f my_locustfile.py --worker --master-host …

with `my_locustfile.py` being

    from aether_stream_bench.locust import StreamUser

    class Upload(StreamUser):
        payload_bytes = 64 * 2**20

and as many settings of `StreamUser` as one likes. When the test stops, the master (or a lone process)
writes the merged summary, `bench-stream.json`, into `AETHER_OUT`, by default `target/benchmarks`.
"""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, ClassVar

from locust import User, events, task
from locust.exception import StopUser

from aether_harness import BenchError, HarnessError
from aether_schema import SCHEMA_VERSION, Phase, Summary, quantile, write_summary
from aether_stream_bench.client.base import DEFAULT_UPLOADER, Endpoint, load_uploader
from aether_stream_bench.endpoint import parse_endpoint
from aether_stream_bench.payload import Payload
from aether_stream_bench.session import check_count, check_digest
from aether_stream_bench.uploads import Kind, Uploader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from locust.env import Environment

    from aether_stream_bench.client.base import Client

#: The key of the samples in a worker's report to the master.
REPORT_KEY = "aether_uploads"
FOLDER_VARIABLE = "AETHER_OUT"
DEFAULT_FOLDER = "target/benchmarks"
FILE_NAME = "bench-stream.json"


class Tally:
    """Samples by worker in MB/s, and their phases in milliseconds; a worker keeps its own until it reports them."""

    def __init__(self) -> None:
        """Begin empty."""
        self._lock = threading.Lock()
        self.samples: dict[str, list[float]] = {}
        self.phases: dict[str, list[float]] = {}

    def add(self, who: str, samples: Sequence[float], phases: Mapping[str, Sequence[float]]) -> None:
        """Add samples and phases of the worker `who`."""
        with self._lock:
            self.samples.setdefault(who, []).extend(samples)
            for name, values in phases.items():
                self.phases.setdefault(name, []).extend(values)

    def take(self) -> dict[str, Any]:
        """Return all that is there, as a report has it, and begin empty again."""
        with self._lock:
            report = {"samples": [value for values in self.samples.values() for value in values], "phases": self.phases}
            self.samples, self.phases = {}, {}
        return report


def summary_of(tally: Tally, params: Mapping[str, str | int | float | bool | None]) -> Summary | None:
    """Return the merged summary, a round a worker, or None where nothing was uploaded."""
    rounds = tuple(tuple(float(f"{value:.6g}") for value in values) for values in tally.samples.values() if values)
    flat = [value for values in rounds for value in values]
    if not flat:
        return None
    return Summary(
        bench_id="streaming[locust]",
        metric="throughput_mbs",
        unit="MB/s",
        p50=quantile(flat, 0.5),
        p95=quantile(flat, 0.95),
        n=len(flat),
        timestamp=datetime.now(UTC).isoformat(timespec="seconds"),
        notes=f"uploads of Locust's users, {len(rounds)} worker{'s' if len(rounds) > 1 else ''}",
        schema_version=SCHEMA_VERSION,
        samples=rounds,
        params=dict(params),
        phases={
            name: Phase(p50=quantile(values, 0.5), p95=quantile(values, 0.95)) for name, values in tally.phases.items()
        }
        or None,
    )


class StreamUser(User):
    """A user that uploads one payload after another to `host`, on a connection of its own.

    With `receipts` the host is the mock server: counts are checked, and the digest of a user's first upload. `remote`
    allows a host that is not this machine.
    """

    abstract = True
    payload_bytes: ClassVar[int] = 8 * 2**20
    chunk_bytes: ClassVar[int] = 128 * 2**10
    seed: ClassVar[int] = 1
    kind: ClassVar[Kind] = "chunked"
    uploader: ClassVar[str] = DEFAULT_UPLOADER
    retries: ClassVar[int] = 0
    receipts: ClassVar[bool] = True
    remote: ClassVar[bool] = False
    #: The PEM of an authority that vouches for the host, a file's name.
    authority: ClassVar[str | None] = None

    _payloads: ClassVar[dict[tuple[int, int, int], Payload]] = {}
    _client: Client | None = None

    def on_start(self) -> None:
        """Connect and upload once with a digest, unmeasured."""
        try:
            endpoint = self._endpoint()
            self._payload = self._shared_payload()
            self._client = load_uploader(self.uploader)(endpoint)
            self._uploading = Uploader(self._client, endpoint, self._payload, kind=self.kind, retries=self.retries)
            uploaded = self._uploading.upload(digest=self.receipts)
            if self.receipts:
                check_count(uploaded.receipt, self._payload)
                check_digest(uploaded.receipt, self._payload)
        except HarnessError as error:
            self._report(0, 0.0, error)
            raise StopUser from None

    def on_stop(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()

    @task
    def upload(self) -> None:
        """Upload once."""
        started = perf_counter_ns()
        try:
            uploaded = self._uploading.upload()
            if self.receipts:
                check_count(uploaded.receipt, self._payload)
        except BenchError as error:
            self._report(0, (perf_counter_ns() - started) / 1e6, error)
            time.sleep(0.1)
            return
        elapsed = perf_counter_ns() - started
        phases = {name: [elapsed_ns / 1e6] for name, elapsed_ns in uploaded.phases_ns.items()}
        tally_of(self.environment).add("local", [self._payload.size / elapsed * 1e3], phases)
        self._report(self._payload.size, elapsed / 1e6, None)

    def _endpoint(self) -> Endpoint:
        if not self.host:
            raise BenchError("no host: give --host, or set it on the class")
        found = parse_endpoint(self.host, remote=self.remote)
        certificate = None
        if self.authority is not None:
            with open(self.authority, encoding="ascii") as file:
                certificate = file.read()
        return Endpoint(
            host=found.host,
            port=found.port,
            tls=found.tls,
            target=found.target,
            certificate=certificate,
            is_mock_server=self.receipts,
        )

    @classmethod
    def _shared_payload(cls) -> Payload:
        key = (cls.payload_bytes, cls.chunk_bytes, cls.seed)
        if key not in StreamUser._payloads:
            StreamUser._payloads[key] = Payload(size=key[0], chunk=key[1], seed=key[2])
        return StreamUser._payloads[key]

    def _report(self, size: int, elapsed_ms: float, error: Exception | None) -> None:
        self.environment.events.request.fire(
            request_type="UPLOAD",
            name=f"{self.kind} {self.payload_bytes}",
            response_time=elapsed_ms,
            response_length=size,
            exception=error,
            context={},
        )


_tallies: dict[int, Tally] = {}


def tally_of(environment: Environment) -> Tally:
    """Return the tally of a Locust environment; there may be several in one process."""
    return _tallies.setdefault(id(environment), Tally())


def params_of(environment: Environment) -> dict[str, str | int | float | bool | None]:
    """Return the parameters of an environment's first user class, as `params` of the summary."""
    users = [each for each in environment.user_classes if issubclass(each, StreamUser)]
    if not users:
        return {}
    user = users[0]
    return {
        "payload": user.payload_bytes,
        "chunk": user.chunk_bytes,
        "seed": user.seed,
        "kind": user.kind,
        "uploader": user.uploader,
    }


def listen(environment: Environment, **_: object) -> None:
    """Let workers report their samples, and the process that collects them write the summary at the end."""
    runner = type(environment.runner).__name__
    tally = tally_of(environment)

    def report_to_master(client_id: str, data: dict[str, Any], **_: object) -> None:  # noqa: ARG001 - Locust's
        data[REPORT_KEY] = tally.take()

    def worker_report(client_id: str, data: dict[str, Any], **_: object) -> None:
        report = data.get(REPORT_KEY) or {"samples": [], "phases": {}}
        tally.add(client_id, report["samples"], report["phases"])

    def write(**_: object) -> None:
        summary = summary_of(tally, params_of(environment))
        if summary is None:
            return
        folder = os.environ.get(FOLDER_VARIABLE, DEFAULT_FOLDER)
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, FILE_NAME)
        write_summary(path, summary)
        print(f"{summary.bench_id}: p50 {summary.p50:,.5g} MB/s of {summary.n} uploads: {path}")  # noqa: T201

    if runner == "WorkerRunner":
        environment.events.report_to_master.add_listener(report_to_master)  # type: ignore[no-untyped-call]
        return
    if runner == "MasterRunner":
        environment.events.worker_report.add_listener(worker_report)  # type: ignore[no-untyped-call]
    # The last reports of the workers come after the stop, and before the end.
    environment.events.quitting.add_listener(write)  # type: ignore[no-untyped-call]


events.init.add_listener(listen)  # type: ignore[no-untyped-call]
