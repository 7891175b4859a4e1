from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from aether_harness import BenchError, RoundContext
from aether_harness.machine.affinity import allowed_cpus
from aether_schema import read_summary
from aether_stream_bench.bench import StreamParams, streaming
from aether_stream_bench.client.base import Endpoint
from aether_stream_bench.client.builtin import BuiltinClient
from aether_stream_bench.payload import Payload
from aether_stream_bench.session import StreamSession
from aether_stream_bench.uploads import Uploader

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Bench = Callable[..., subprocess.CompletedProcess[str]]
    Processes = Callable[[], dict[int, list[str]]]
    Eventually = Callable[[Callable[[], Any]], Any]

needs_posix = pytest.mark.skipif(os.name != "posix", reason="POSIX only")
SMALL = ("-p", "stream.payload=100000")


@contextmanager
def session_at(port: int) -> Iterator[StreamSession]:
    """Yield a session that uploads 100 bytes to a port."""
    endpoint, payload = Endpoint(host="127.0.0.1", port=port), Payload(size=100, chunk=10, seed=1)
    with BuiltinClient(endpoint) as client:
        yield StreamSession(client, Uploader(client, endpoint, payload), payload, None, endpoint)


def servers(processes: dict[int, list[str]]) -> list[int]:
    """Return the ids of the mock servers among the processes."""
    return [pid for pid, command in processes.items() if "aether_stream_bench.server" in command]


def test_t4_after_the_streaming_bench_its_summary_exists_and_parses(bench: Bench, tmp_path: Path) -> None:
    finished = bench(*SMALL)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["bench-stream.json"]
    summary = read_summary(str(tmp_path / "out" / "bench-stream.json"))
    assert summary.bench_id == "streaming"


def test_t5_the_streaming_summary_has_a_throughput_above_0_and_p95_at_least_p50_in_throughput_mbs_and_mb_per_s(
    bench: Bench, tmp_path: Path
) -> None:
    bench(*SMALL)
    summary = json.loads((tmp_path / "out" / "bench-stream.json").read_bytes())
    assert summary["bench_id"] == "streaming"
    assert summary["p95"] >= summary["p50"] > 0
    assert summary["n"] >= 1
    assert (summary["metric"], summary["unit"]) == ("throughput_mbs", "MB/s")


def test_by_default_32_mib_are_uploaded_in_chunks_of_128_kib(bench: Bench, tmp_path: Path) -> None:
    assert bench().returncode == 0
    summary = json.loads((tmp_path / "out" / "bench-stream.json").read_bytes())
    assert summary["params"] == {"payload": 33_554_432, "chunk": 131_072, "seed": 1, "one_cpu": False}


def test_parameters_are_taken_and_recorded(bench: Bench, tmp_path: Path) -> None:
    finished = bench("-p", "stream.payload=1M", "-p", "stream.chunk=999", "-p", "streaming.seed=7")
    assert (finished.returncode, finished.stderr) == (0, "")
    summary = json.loads((tmp_path / "out" / "bench-stream.json").read_bytes())
    assert summary["params"] == {"payload": 1_048_576, "chunk": 999, "seed": 7, "one_cpu": False}


@pytest.mark.parametrize("one_cpu", ["false", "true"])
def test_the_rulers_are_bursts_to_the_same_server(bench: Bench, tmp_path: Path, one_cpu: str) -> None:
    assert bench(*SMALL, "-p", f"stream.one_cpu={one_cpu}").returncode == 0
    summary = json.loads((tmp_path / "out" / "bench-stream.json").read_bytes())
    kernels = [summary[key]["kernel"] for key in ("reference", "cross_reference")]
    assert kernels == ["streaming/limit-3", "streaming/short-pieces-2"]
    assert all(value > 0 for values in summary["reference"]["samples"] for value in values)
    assert summary["params"]["one_cpu"] is (one_cpu == "true")


@pytest.mark.skipif(len(allowed_cpus() or ()) < 2, reason="needs two CPUs to choose from")
@pytest.mark.parametrize("one_cpu", [True, False])
def test_the_server_is_on_the_uploaders_cpu_where_that_is_asked_for(
    bench_command: Callable[..., list[str]],
    bench_env: dict[str, str],
    run_processes: Processes,
    eventually: Eventually,
    *,
    one_cpu: bool,
) -> None:
    command = bench_command("-p", f"stream.one_cpu={one_cpu}".lower(), samples=1_000_000)
    with subprocess.Popen(command, env=bench_env) as running:
        (server,) = eventually(lambda: servers(run_processes()))
        # It starts where the worker is, and listens once it is where it belongs.
        eventually(lambda: psutil.Process(server).net_connections(kind="inet"))
        cpus, worker = allowed_cpus(server), allowed_cpus(psutil.Process(server).ppid())
        running.kill()
    assert len(worker or ()) == 1
    assert (cpus == worker) is one_cpu
    assert eventually(lambda: not run_processes())


def test_a_payload_of_one_byte_is_uploaded(bench: Bench) -> None:
    assert bench("-p", "stream.payload=1", "-p", "stream.chunk=1G").returncode == 0


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("stream.chunk=0", "stream.chunk=0: expected `int` >= 1"),
        ("stream.chunk=-1", "stream.chunk=-1: expected `int` >= 1"),
        ("stream.chunk=2G", "stream.chunk=2G: expected `int` <= 1073741824"),
        ("stream.payload=0", "stream.payload=0: expected `int` >= 1"),
        ("stream.payload=8 megabytes", "expected `int`"),
        ("stream.seed=x", "stream.seed=x: expected `int`"),
        ("stream.chunks=1", "no such parameter; did you mean chunk?"),
        ("pack.files=1", "no such bench in this run"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_one_line_and_status_2(
    bench: Bench, tmp_path: Path, setting: str, words: str
) -> None:
    finished = bench("-p", setting)
    assert finished.returncode == 2
    assert words in finished.stderr
    assert len(finished.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_after_a_run_no_process_of_it_is_left(bench: Bench, run_processes: Processes, tmp_path: Path) -> None:
    assert bench(*SMALL).returncode == 0
    assert run_processes() == {}
    assert list((tmp_path / "scratch").iterdir()) == []


def test_killing_the_whole_run_leaves_no_worker_and_no_server_behind(
    bench_command: Callable[..., list[str]], bench_env: dict[str, str], run_processes: Processes, eventually: Eventually
) -> None:
    with subprocess.Popen(bench_command(samples=1_000_000), env=bench_env) as running:
        eventually(lambda: servers(run_processes()))
        assert len(run_processes()) >= 3
        running.kill()
    assert eventually(lambda: not run_processes())


def test_killing_the_worker_fails_the_bench_in_one_line_and_stops_the_server(
    bench_command: Callable[..., list[str]], bench_env: dict[str, str], run_processes: Processes, eventually: Eventually
) -> None:
    command = bench_command(samples=1_000_000)
    with subprocess.Popen(command, env=bench_env, stderr=subprocess.PIPE, text=True) as running:
        (server,) = eventually(lambda: servers(run_processes()))
        psutil.Process(psutil.Process(server).ppid()).kill()
        _, stderr = running.communicate(timeout=60)
    assert running.returncode == 1
    assert stderr.startswith("aether-bench: streaming: round 1: ")
    assert len(stderr.splitlines()) == 1
    assert eventually(lambda: not run_processes())


def test_killing_the_server_fails_the_bench_in_one_line(
    bench_command: Callable[..., list[str]],
    bench_env: dict[str, str],
    run_processes: Processes,
    eventually: Eventually,
    tmp_path: Path,
) -> None:
    command = bench_command(samples=1_000_000)
    with subprocess.Popen(command, env=bench_env, stderr=subprocess.PIPE, text=True) as running:
        (server,) = eventually(lambda: servers(run_processes()))
        psutil.Process(server).kill()
        _, stderr = running.communicate(timeout=60)
    assert running.returncode == 1
    assert stderr.startswith("aether-bench: streaming: round 1: ")
    assert len(stderr.splitlines()) == 1
    assert list((tmp_path / "out").iterdir()) == []
    assert eventually(lambda: not run_processes())


@needs_posix
@pytest.mark.skipif(signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="started without Ctrl-C")
def test_ctrl_c_is_one_line_and_status_130_and_leaves_no_process_and_no_file(
    bench_command: Callable[..., list[str]],
    bench_env: dict[str, str],
    run_processes: Processes,
    eventually: Eventually,
    tmp_path: Path,
) -> None:
    command = bench_command(samples=1_000_000)
    with subprocess.Popen(command, env=bench_env, stderr=subprocess.PIPE, text=True, start_new_session=True) as running:
        eventually(lambda: servers(run_processes()))
        # As a terminal does it: to every process of the group in the foreground.
        os.killpg(running.pid, signal.SIGINT)
        _, stderr = running.communicate(timeout=60)
    assert running.returncode == 130
    assert stderr == "aether-bench: interrupted\n"
    assert list((tmp_path / "out").iterdir()) == []
    assert eventually(lambda: not run_processes())


def test_a_sample_reports_the_bytes_it_moved_and_verification_passes(tmp_path: Path) -> None:
    params = StreamParams(payload=100_001, chunk=1000)
    with streaming.open(params, RoundContext(folder=str(tmp_path))) as session:
        assert session.sample().moved_bytes == 100_001
        assert session.sample().moved_bytes == 100_001
        session.verify()


@pytest.mark.parametrize("step", [StreamSession.sample, StreamSession.verify])
def test_a_server_that_counts_otherwise_is_refused(
    scripted_server: Callable[..., int],
    answering: Callable[[bytes], Callable[[socket.socket], None]],
    step: Callable[[StreamSession], object],
) -> None:
    answer = answering(b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"bytes":99}')
    with (
        session_at(scripted_server(answer)) as session,
        pytest.raises(BenchError, match=r"^the server took in 99 bytes of 100$"),
    ):
        step(session)


@pytest.mark.parametrize("digest", [b"", b',"sha256":"00ff"'], ids=["none", "another"])
def test_a_server_that_got_other_bytes_fails_verification(
    scripted_server: Callable[..., int],
    answering: Callable[[bytes], Callable[[socket.socket], None]],
    digest: bytes,
) -> None:
    body = b'{"bytes":100%b}' % digest
    answer = answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    with (
        session_at(scripted_server(answer)) as session,
        pytest.raises(BenchError, match=r"^the server took in other bytes than were sent: "),
    ):
        session.verify()
