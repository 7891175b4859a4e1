"""Every uploader with every kind of upload, the loads made of them, and what is done when one fails."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from typing import TYPE_CHECKING, Any, get_args

import pytest

from aether_harness import BenchError, RoundContext, UsageError
from aether_stream_bench.bench import StreamParams, check, streaming
from aether_stream_bench.client.base import Endpoint, load_uploader, uploader_names
from aether_stream_bench.command import words_of
from aether_stream_bench.concurrency import UploadThreads, aggregate_phases
from aether_stream_bench.endpoint import is_loopback, parse_endpoint
from aether_stream_bench.payload import Payload
from aether_stream_bench.server import FaultConfig
from aether_stream_bench.server_process import ServerConfig, running_server
from aether_stream_bench.session import ServerClient
from aether_stream_bench.uploads import PART_BYTES, Kind, Uploader, UploadResult
from aether_stream_bench.wire import Receipt

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from aether_stream_bench.client.base import Client
    from aether_stream_bench.wire import Greeting

KINDS = get_args(Kind)
#: aiohttp and requests wait for an invitation in ways of their own; h11's is the uploader that is tested with it.
UPLOADERS = ("aiohttp", "builtin", "httpx", "niquests", "requests")
SIZE = 300_001


@pytest.fixture
def opened() -> Iterator[Callable[..., tuple[Client, Endpoint]]]:
    """Yield a function that opens a client of an uploader."""
    with contextlib.ExitStack() as stack:

        def opened(name: str, greeting: Greeting) -> tuple[Client, Endpoint]:
            endpoint = Endpoint(
                host="127.0.0.1",
                port=greeting.port,
                tls=greeting.certificate is not None,
                certificate=greeting.certificate,
                time_limit_s=120,
            )
            try:
                client = load_uploader(name)(endpoint)
            except (UsageError, ModuleNotFoundError) as error:
                pytest.skip(str(error))
            stack.callback(client.close)
            return client, endpoint

        yield opened


def test_these_are_the_uploaders() -> None:
    assert set(uploader_names()) >= set(UPLOADERS)


def test_an_uploader_that_is_none_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"^uploader htpx: no such uploader; did you mean httpx\?$"):
        load_uploader("htpx")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", UPLOADERS)
def test_every_uploader_sends_every_kind_of_upload_whole(
    opened: Callable[..., tuple[Client, Endpoint]], server: Greeting, name: str, kind: Kind
) -> None:
    client, endpoint = opened(name, server)
    payload = Payload(size=SIZE, chunk=10_000, seed=3)
    uploading = Uploader(client, endpoint, payload, kind=kind)
    assert uploading.upload().receipt == Receipt(bytes=SIZE)
    assert uploading.upload(digest=True).receipt == Receipt(bytes=SIZE, sha256=payload.sha256())


@pytest.fixture(scope="module")
def secure_server() -> Iterator[Greeting]:
    """Yield a server that speaks TLS."""
    pytest.importorskip("trustme")
    with running_server((), ServerConfig(tls=True)) as greeting:
        yield greeting


@pytest.mark.parametrize("name", UPLOADERS)
def test_every_uploader_speaks_tls_and_checks_the_certificate(
    opened: Callable[..., tuple[Client, Endpoint]], secure_server: Greeting, name: str
) -> None:
    client, endpoint = opened(name, secure_server)
    payload = Payload(size=SIZE, chunk=10_000, seed=3)
    receipt = Uploader(client, endpoint, payload, kind="length").upload(digest=True).receipt
    assert receipt == Receipt(bytes=SIZE, sha256=payload.sha256())
    mistrusted = Endpoint(host="127.0.0.1", port=secure_server.port, tls=True, time_limit_s=120)
    client = load_uploader(name)(mistrusted)
    try:
        with pytest.raises(BenchError, match=r"(?i)certificate|ssl"):
            Uploader(client, mistrusted, payload).upload()
    finally:
        client.close()


@pytest.mark.parametrize("name", UPLOADERS)
@pytest.mark.parametrize(
    ("conditions", "kind"),
    [
        (FaultConfig(fail_every=2), "chunked"),
        (FaultConfig(busy_every=2, retry_after_s=0), "length"),
        (FaultConfig(disconnect_after=100_000, disconnect_every=2), "form"),
        (FaultConfig(disconnect_after=100_000), "resumable"),
        (FaultConfig(busy_every=2, retry_after_s=0), "two-phase"),
        (FaultConfig(fail_every=2), "s3"),
    ],
    ids=["500", "429", "cut off", "resumed", "two phases", "parts"],
)
def test_an_upload_that_fails_is_tried_again_and_the_time_to_recover_is_told(
    opened: Callable[..., tuple[Client, Endpoint]], name: str, conditions: FaultConfig, kind: Kind
) -> None:
    payload = Payload(size=SIZE, chunk=10_000, seed=3)
    with running_server((), ServerConfig(conditions=conditions)) as greeting:
        client, endpoint = opened(name, greeting)
        uploading = Uploader(client, endpoint, payload, kind=kind, retries=9)
        done = [uploading.upload(digest=True) for _ in range(2)]
        client.close()
    assert [each.receipt for each in done] == [Receipt(bytes=SIZE, sha256=payload.sha256())] * 2
    assert sum(each.retries for each in done) >= 1
    assert all(("recover" in each.phases_ns) == (each.retries > 0) for each in done)


@pytest.mark.parametrize("kind", ["two-phase", "s3"])
def test_an_upload_of_several_requests_goes_on_with_the_one_that_failed(
    opened: Callable[..., tuple[Client, Endpoint]], kind: Kind
) -> None:
    parts = 3 if kind == "s3" else 1
    payload = Payload(size=parts * PART_BYTES, chunk=2**20, seed=3)
    with running_server((), ServerConfig(conditions=FaultConfig(busy_every=2, retry_after_s=0))) as greeting:
        client, endpoint = opened("builtin", greeting)
        done = Uploader(client, endpoint, payload, kind=kind, retries=parts).upload(digest=True)
        server = ServerClient(endpoint, greeting)
        told = server.statistics()
        server.close()
        client.close()
    # Every second request with a body is refused, the one that completes the upload among them.
    assert done.retries == parts
    assert done.receipt == Receipt(bytes=payload.size, sha256=payload.sha256())
    assert told.receipted == payload.size
    assert told.received < 2.1 * payload.size


def test_a_server_that_says_when_to_come_again_is_waited_for(opened: Callable[..., tuple[Client, Endpoint]]) -> None:
    with running_server((), ServerConfig(conditions=FaultConfig(busy_every=2, retry_after_s=1))) as greeting:
        client, endpoint = opened("builtin", greeting)
        uploading = Uploader(client, endpoint, Payload(size=10, chunk=10, seed=1), retries=1)
        uploading.upload()
        recovered_ns = uploading.upload().phases_ns["recover"]
        client.close()
    assert recovered_ns >= 1e9


def test_without_retries_the_first_failure_is_told(opened: Callable[..., tuple[Client, Endpoint]]) -> None:
    with running_server((), ServerConfig(conditions=FaultConfig(fail_every=1))) as greeting:
        client, endpoint = opened("builtin", greeting)
        with pytest.raises(BenchError, match=r"^127\.0\.0\.1:\d+: the server answered 500$"):
            Uploader(client, endpoint, Payload(size=10, chunk=10, seed=1)).upload()
        client.close()


def test_the_phases_are_parts_of_the_upload(opened: Callable[..., tuple[Client, Endpoint]], server: Greeting) -> None:
    client, endpoint = opened("builtin", server)
    uploading = Uploader(client, endpoint, Payload(size=SIZE, chunk=10_000, seed=1))
    assert set(uploading.upload().phases_ns) == {"connect", "send", "first_byte", "response", "drain"}
    again = uploading.upload().phases_ns
    assert set(again) == {"send", "first_byte", "response", "drain"}
    assert all(elapsed >= 0 for elapsed in again.values())
    assert again["send"] > 0


def test_a_crew_uploads_as_often_as_it_is_told_however_many_it_is() -> None:
    calls: list[int] = []

    def upload() -> UploadResult:
        calls.append(1)
        return UploadResult(receipt=None, phases_ns={"send": 10})

    with UploadThreads([upload] * 5) as crew:
        timed = crew.run(23)
    assert len(timed) == len(calls) == 23
    assert aggregate_phases(timed, scheduled=False)["send"] == 10


def test_by_a_schedule_an_upload_that_had_to_wait_shows_the_wait() -> None:
    def slow() -> UploadResult:
        time.sleep(0.05)
        return UploadResult(receipt=None)

    with UploadThreads([slow]) as crew:
        timed = crew.run(6, rate=100.0)
    waits = [each.began_ns - each.due_ns for each in timed]
    assert waits == sorted(waits)
    assert waits[-1] >= 0.18e9
    phases = aggregate_phases(timed, scheduled=True)
    assert phases["latency_p99"] > phases["upload_p99"] + 0.1e9


def test_by_a_schedule_no_upload_begins_before_it_is_due() -> None:
    with UploadThreads([lambda: UploadResult(receipt=None)] * 2) as crew:
        timed = crew.run(10, rate=200.0)
    assert all(each.began_ns >= each.due_ns for each in timed)
    due = sorted(each.due_ns for each in timed)
    assert due[-1] - due[0] == pytest.approx(9 / 200 * 1e9, rel=1e-3)


def test_the_first_failure_of_a_crew_ends_it() -> None:
    def fail() -> UploadResult:
        raise BenchError("no more")

    with UploadThreads([fail, fail]) as crew, pytest.raises(BenchError, match=r"^no more$"):
        crew.run(1000)


@pytest.mark.parametrize(
    ("url", "target", "port"),
    [
        ("http://127.0.0.1:8000/a/b?c=d", "/a/b?c=d", 8000),
        ("http://localhost", "/", 80),
        ("https://127.0.0.2/x", "/x", 443),
        ("http://[::1]:81/", "/", 81),
    ],
)
def test_an_address_of_this_machine_is_taken_as_it_is(url: str, target: str, port: int) -> None:
    endpoint = parse_endpoint(url, remote=False)
    assert (endpoint.target, endpoint.port, endpoint.is_mock_server) == (target, port, False)


@pytest.mark.parametrize(
    "url", ["", "x", "ftp://a/", "http://", "http://a:b/", "http://u:p@127.0.0.1/", "http://127.0.0.1/a b"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(BenchError, match=r"^-p stream\.url="):
        parse_endpoint(url, remote=True)


def test_another_machine_takes_a_word_more() -> None:
    with pytest.raises(BenchError, match=r"add -p stream\.remote=true$"):
        parse_endpoint("http://192.0.2.1/", remote=False)
    assert parse_endpoint("http://192.0.2.1/", remote=True).host == "192.0.2.1"
    assert not is_loopback("192.0.2.1")


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (StreamParams(url="http://127.0.0.1/", tls=True), "a server of your own has the TLS"),
        (StreamParams(url="http://127.0.0.1/", latency_ms=1), "a server of your own has the TLS"),
        (StreamParams(url="http://127.0.0.1/", kind="resumable"), "is the mock server's own"),
        (StreamParams(command="curl -T {file} {url}", retries=1), "decides itself"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(params: StreamParams, words: str) -> None:
    with pytest.raises(BenchError, match=words):
        check(params)


@pytest.mark.parametrize("command", ["", "curl", "curl {url}", "curl '{file} {url}"])
def test_a_command_that_uploads_nothing_is_refused(command: str) -> None:
    with pytest.raises(BenchError, match=r"^-p stream\.command="):
        words_of(command)


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "length", "connections": 3},
        {"rate": 200.0, "uploads": 5, "connections": 2},
        {"reuse": False},
        {"kind": "resumable", "disconnect_after": 50_000, "retries": 9},
        pytest.param(
            {"command": "curl -sf -T {file} {url}"},
            marks=pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here"),
        ),
    ],
)
def test_a_session_samples_verifies_and_tells_what_it_cost(settings: dict[str, Any], tmp_path: Path) -> None:
    params = StreamParams(payload=200_000, chunk=10_000, **settings)
    with streaming.open(params, RoundContext(folder=str(tmp_path))) as session:
        moved = [session.sample().moved_bytes for _ in range(2)]
        session.verify()
        readings = session.readings()
    uploads = settings.get("uploads", settings.get("connections", 1))
    assert moved == [200_000 * uploads] * 2
    assert readings["limit_mbs"] > 0
    assert readings["limit_share"] > 0
    assert readings["server_cpu_s_per_gb"] > 0
    assert readings["server_peak_memory_bytes"] > 0
    told = settings.get("kind") != "length" and "command" not in settings
    assert ("chunk_p50_ms" in readings) is told
    assert not told or 0 < readings["chunk_p50_ms"] <= readings["chunk_p95_ms"]


def test_a_summary_tells_the_limit_and_only_what_differs_from_the_defaults(
    bench: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    finished = bench("-p", "stream.payload=100000", "-p", "stream.kind=chunked,length", "-p", "stream.seed=2")
    assert (finished.returncode, finished.stderr) == (0, "")
    summary = json.loads((tmp_path / "out" / "bench-stream-kind-length.json").read_bytes())
    assert summary["bench_id"] == "streaming[kind=length]"
    assert summary["params"] == {"payload": 100_000, "chunk": 131_072, "seed": 2, "one_cpu": False, "kind": "length"}
    assert summary["readings"]["limit_share"] > 0
    assert "that a raw socket reaches beside it" in summary["notes"]
    assert {"send", "first_byte", "response", "drain"} <= set(summary["phases"])


def test_a_server_of_ones_own_is_uploaded_to_and_not_asked_for_receipts(
    bench: Callable[..., subprocess.CompletedProcess[str]], server: Greeting, tmp_path: Path
) -> None:
    finished = bench("-p", f"stream.url=http://127.0.0.1:{server.port}/x", "-p", "stream.payload=2M")
    assert (finished.returncode, finished.stderr) == (0, "")
    summary = json.loads((tmp_path / "out" / "bench-stream.json").read_bytes())
    assert summary["p50"] > 0
    assert "limit_mbs" not in summary["readings"]


def test_an_uploader_that_is_not_there_is_one_line(bench: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    finished = bench("-p", "stream.uploader=wget")
    assert finished.returncode == 1
    assert "uploader wget: no such uploader" in finished.stderr
    assert len(finished.stderr.splitlines()) == 1
