"""The streaming bench, as the harness finds it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, field
from msgspec.structs import asdict, fields

from aether_harness import BenchError, ByteCount, RoundContext
from aether_stream_bench.__about__ import __version__
from aether_stream_bench.client.base import DEFAULT_UPLOADER, Endpoint, load_uploader
from aether_stream_bench.command import CommandUpload
from aether_stream_bench.concurrency import UploadThreads
from aether_stream_bench.endpoint import parse_endpoint
from aether_stream_bench.payload import Payload, drawn_bytes
from aether_stream_bench.reference import CROSS_REFERENCE_ID, REFERENCE_ID, BurstReferences, RawConnection
from aether_stream_bench.server.faults import FaultConfig
from aether_stream_bench.server_process import ServerConfig, running_server
from aether_stream_bench.session import CommandSession, ConcurrentSession, ServerClient, StreamSession
from aether_stream_bench.uploads import Kind, Uploader
from aether_stream_bench.wire import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from aether_schema import Metric

#: A pattern without a comma, so that several uploaders can be listed and swept.
UploaderName = Annotated[str, Meta(pattern="^[A-Za-z0-9._-]+$")]
MAX_CONNECTIONS = 4096
#: The default number of uploads per sample on a schedule.
SCHEDULED_UPLOADS = 64


class StreamParams(FaultConfig, frozen=True, kw_only=True, omit_defaults=True):
    """The parameters of an upload: `payload` seeded bytes, in chunks of `chunk` bytes, its kind, uploader and faults.

    The server has CPUs of its own, and neither end sleeps while the other works. With `one_cpu` the server shares the
    uploader's CPU and takes turns with it, for machines that have no other.

    A summary has the first four always, and the others where they differ from their defaults.
    """

    payload: Annotated[ByteCount, Meta(ge=1)] = field(default_factory=lambda: 32 * 2**20)
    chunk: Annotated[ByteCount, Meta(ge=1, le=2**30)] = field(default_factory=lambda: 128 * 2**10)
    seed: int = field(default_factory=lambda: 1)
    one_cpu: bool = field(default_factory=lambda: False)
    kind: Kind = "chunked"
    uploader: UploaderName = DEFAULT_UPLOADER
    command: str | None = None
    tls: bool = False
    reuse: bool = True
    connections: Annotated[int, Meta(ge=1, le=MAX_CONNECTIONS)] = 1
    uploads: Annotated[int, Meta(ge=1)] | None = None
    rate: Annotated[float, Meta(gt=0)] | None = None
    retries: Annotated[int, Meta(ge=0, le=100)] = 0
    url: str | None = None
    remote: bool = False


class StreamingBench:
    """Streams an upload over HTTP/1.1 to a mock server in a process of its own, or to the user's own server."""

    bench_id = "streaming"
    name = "stream"
    about = "HTTP upload to a mock server on the loopback, or to a server of one's own"
    metric: Metric = "throughput_mbs"
    params_type = StreamParams
    cross_reference = CROSS_REFERENCE_ID

    def __init__(self) -> None:
        """Have servers started from nothing, until one has been imported here."""
        self._server_main: Callable[[Sequence[str]], object] | None = None

    def preload(self, params: StreamParams) -> None:
        """Draw the payload, and import the uploader and, if needed, the server."""
        drawn_bytes(size=params.payload, chunk=params.chunk, seed=params.seed)
        load_uploader(params.uploader)
        if params.url is None:
            import anyio

            from aether_stream_bench.server.__main__ import main

            self._server_main = main
            # The first loop of a process imports the modules of event loops.
            anyio.run(anyio.sleep, 0)

    @property
    def versions(self) -> Mapping[str, str]:
        """The versions of the libraries that carry an upload."""
        from importlib.metadata import version

        return {
            "aether-stream-bench": __version__,
            **{name: version(name) for name in ("anyio", "h11", "httptools")},
        }

    def reference(self, params: StreamParams) -> str:
        """Return the reference of an upload over one connection, or the kernel that sends between the same CPUs."""
        if has_own_reference(params):
            return REFERENCE_ID
        return "loopback-one-cpu-1" if params.one_cpu else "loopback-1"

    def note(self, readings: Mapping[str, float]) -> str | None:
        """Return a sentence on the share of the machine's limit, and on costs."""
        parts = []
        if "limit_share" in readings:
            share, limit = readings["limit_share"], readings["limit_mbs"]
            parts.append(f"{share * 100:.0f} % of the {limit:,.0f} MB/s that a raw socket reaches beside it")
        costs = [
            f"{who} {readings[key]:.3f}"
            for who, key in (("uploader", "uploader_cpu_s_per_gb"), ("server", "server_cpu_s_per_gb"))
            if key in readings
        ]
        if costs:
            parts.append(f"CPU seconds a GB: {', '.join(costs)}")
        return ", ".join(parts) or None

    @contextmanager
    def open(
        self, params: StreamParams, place: RoundContext
    ) -> Iterator[StreamSession | ConcurrentSession | CommandSession]:
        """Start the server, connect, and yield the session."""
        check(params)
        draw = cache(lambda: Payload(size=params.payload, chunk=params.chunk, seed=params.seed))
        with ExitStack() as stack:
            endpoint, server = self._destination(params, place, stack, draw)
            payload = draw()
            if params.command is not None:
                upload = CommandUpload(params.command, endpoint, payload, place.folder)
                yield CommandSession(upload, payload, server)
                return
            opener = load_uploader(params.uploader)
            clients = []
            for _ in range(params.connections):
                clients.append(opener(endpoint))
                stack.callback(clients[-1].close)
            uploadings = [
                Uploader(client, endpoint, payload, kind=params.kind, retries=params.retries) for client in clients
            ]
            references = None
            if has_own_reference(params) and server is not None:
                raw = stack.enter_context(RawConnection(endpoint, server.greeting.raw_port))
                references = BurstReferences(raw, payload)
            sessions = [
                StreamSession(client, uploading, payload, server, endpoint, reuse=params.reuse, references=references)
                for client, uploading in zip(clients, uploadings, strict=True)
            ]
            if is_one_upload(params):
                yield sessions[0]
                return
            crew = stack.enter_context(UploadThreads([session.upload for session in sessions]))
            number = params.uploads or (SCHEDULED_UPLOADS if params.rate else params.connections)
            yield ConcurrentSession(crew, sessions, uploads=number, rate=params.rate)

    def _destination(
        self, params: StreamParams, place: RoundContext, stack: ExitStack, meanwhile: Callable[[], object]
    ) -> tuple[Endpoint, ServerClient | None]:
        """Return where to upload to, and the server if it is ours; `meanwhile` is called while that comes up."""
        if params.url is not None:
            return parse_endpoint(params.url, remote=params.remote), None
        cpus = place.worker_cpus if params.one_cpu else place.companion_cpus
        # An end with a CPU of its own need not sleep; some machines have one CPU for both ends.
        one_cpu = not set(cpus).isdisjoint(place.worker_cpus)
        is_busy = bool(cpus) and not one_cpu and has_own_reference(params)
        setting = ServerConfig(tls=params.tls, is_busy=is_busy, one_cpu=one_cpu, conditions=conditions_of(params))
        greeting = stack.enter_context(running_server(cpus, setting, meanwhile, self._server_main))
        endpoint = Endpoint(
            host=LOOPBACK,
            port=greeting.port,
            tls=params.tls,
            certificate=greeting.certificate,
            spin=is_busy,
            one_cpu=one_cpu,
        )
        server = ServerClient(endpoint, greeting)
        stack.callback(server.close)
        return endpoint, server


streaming = StreamingBench()


def is_one_upload(params: StreamParams) -> bool:
    """Return whether a sample is one upload."""
    return params.connections == 1 and params.rate is None and params.uploads is None


def has_own_reference(params: StreamParams) -> bool:
    """Return whether references of its own fit: an upload at a time to the mock server."""
    return is_one_upload(params) and params.url is None and params.command is None


def conditions_of(params: StreamParams) -> FaultConfig:
    """Return the conditions among the parameters."""
    values = asdict(params)
    return FaultConfig(**{each.name: values[each.name] for each in fields(FaultConfig)})


def check(params: StreamParams) -> None:
    """Make sure that the parameters go together.

    Raises:
        BenchError: two contradict each other.

    """
    if params.url is not None:
        if params.tls or params.one_cpu or conditions_of(params) != FaultConfig():
            raise BenchError("-p stream.url: a server of your own has the TLS, CPUs and conditions that it has")
        if params.kind in {"two-phase", "resumable"}:
            raise BenchError(f"-p stream.kind={params.kind}: is the mock server's own; leave stream.url out")
    if params.command is not None:
        others = StreamParams(kind=params.kind, uploader=params.uploader, connections=params.connections)
        given = (others.kind, others.uploader, others.connections, params.rate, params.uploads, params.retries)
        if given != ("chunked", DEFAULT_UPLOADER, 1, None, None, 0):
            raise BenchError("-p stream.command: decides itself on the kind of upload, connections and retries")
