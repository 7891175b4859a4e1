from __future__ import annotations

import json
import socket
import time
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_stream_bench.server.faults import NO_FAULT, FaultConfig, FaultInjector, UploadFault
from aether_stream_bench.server.limits import Limits
from aether_stream_bench.server_process import ServerConfig, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = b"PUT / HTTP/1.1\r\nHost: x\r\n"


@contextmanager
def connected(setting: ServerConfig) -> Iterator[socket.socket]:
    """Yield a connection to a server of a setting."""
    with running_server((), setting) as greeting, socket.create_connection(("127.0.0.1", greeting.port), 120) as opened:
        yield opened


def upload(connection: socket.socket, size: int) -> tuple[int, float, bytes]:
    """Return the status of an upload, how long it took, and the whole answer."""
    began = time.monotonic()
    connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % size + bytes(size))
    answer = connection.recv(65536)
    return int(answer[9:12]) if answer else 0, time.monotonic() - began, answer


def test_in_fair_weather_nothing_befalls_an_upload() -> None:
    weather = FaultInjector(FaultConfig())
    assert [weather.fate() for _ in range(10)] == [NO_FAULT] * 10
    assert weather.answer_delay_s() == 0
    assert not weather.is_slow
    assert weather.piece_bytes(1000) == 1000


def test_every_so_many_uploads_are_refused_or_cut_off() -> None:
    weather = FaultInjector(FaultConfig(busy_every=2, fail_every=3, disconnect_after=10, disconnect_every=5))
    fates = [weather.fate() for _ in range(6)]
    busy, failed = UploadFault(HTTPStatus.TOO_MANY_REQUESTS), UploadFault(HTTPStatus.INTERNAL_SERVER_ERROR)
    assert fates == [NO_FAULT, busy, failed, busy, UploadFault(None, 10), failed]


@given(st.floats(0, 100), st.floats(0, 100), st.integers())
def test_delays_lie_around_the_latency_and_are_the_same_for_a_seed(latency: float, jitter: float, seed: int) -> None:
    conditions = FaultConfig(latency_ms=latency, jitter_ms=jitter, weather_seed=seed)
    first, second = FaultInjector(conditions), FaultInjector(conditions)
    delays = [first.answer_delay_s() for _ in range(5)]
    assert delays == [second.answer_delay_s() for _ in range(5)]
    assert all(max(0, latency - jitter) - 1e-6 <= delay * 1e3 <= latency + jitter + 1e-6 for delay in delays)


@given(st.integers(1, 10**9), st.lists(st.integers(0, 10**6), min_size=1))
def test_a_bounded_bandwidth_is_never_exceeded(bandwidth: int, pieces: list[int]) -> None:
    weather = FaultInjector(FaultConfig(bandwidth=bandwidth))
    elapsed, taken = 0.0, 0
    for piece in pieces:
        elapsed += max(0.0, weather.piece_delay_s(taken, taken + piece, elapsed))
        taken += piece
    assert taken <= bandwidth * elapsed * (1 + 1e-9) + 1e-6


def test_an_upload_through_a_narrow_network_takes_its_time() -> None:
    with connected(ServerConfig(conditions=FaultConfig(bandwidth=1_000_000))) as connection:
        status, elapsed, _ = upload(connection, 200_000)
    assert status == 200
    assert elapsed >= 0.19


@pytest.mark.parametrize(
    "conditions",
    [
        FaultConfig(latency_ms=100),
        FaultConfig(latency_ms=200, jitter_ms=100),
        FaultConfig(stall_after=1000, stall_ms=100),
        FaultConfig(drain_delay_ms=100),
    ],
)
def test_a_slow_answer_a_stall_and_a_slow_drain_take_theirs(conditions: FaultConfig) -> None:
    with connected(ServerConfig(conditions=conditions)) as connection:
        status, elapsed, _ = upload(connection, 100_000)
    assert status == 200
    assert elapsed >= 0.099


def test_the_nth_upload_is_refused_and_the_connection_goes_on() -> None:
    with connected(ServerConfig(conditions=FaultConfig(busy_every=2, retry_after_s=7, fail_every=3))) as connection:
        answers = [upload(connection, 10) for _ in range(4)]
    assert [status for status, _, _ in answers] == [200, 429, 500, 429]
    assert b"\r\nRetry-After: 7\r\n" in answers[1][2]


def test_an_upload_is_cut_off_behind_so_many_bytes() -> None:
    with connected(ServerConfig(conditions=FaultConfig(disconnect_after=50_000))) as connection:
        assert upload(connection, 10_000)[0] == 200
        connection.sendall(HEAD + b"Content-Length: 60000\r\n\r\n" + bytes(55_000))
        try:
            rest = connection.recv(1000)
        except ConnectionError:
            rest = b""
    assert rest == b""


@pytest.mark.parametrize("sent", [b"", b"PUT / HTT", HEAD, HEAD + b"Content-Length: 10\r\n\r\nabc"])
def test_a_client_that_stops_midway_is_left_behind(sent: bytes) -> None:
    with connected(ServerConfig(limits=Limits(head_s=0.3, idle_s=0.3))) as connection:
        connection.sendall(sent)
        answer = connection.recv(1000)
    assert answer == b"" if not sent else answer.startswith(b"HTTP/1.1 408 ")


def test_a_head_that_comes_a_byte_at_a_time_is_not_waited_for() -> None:
    with connected(ServerConfig(limits=Limits(head_s=0.5))) as connection:
        connection.settimeout(0.05)
        began = time.monotonic()
        answer = b""
        while not answer and time.monotonic() - began < 20:
            try:
                connection.sendall(b"P" if time.monotonic() == began else b"U")
                answer = connection.recv(100)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            else:
                break
        assert time.monotonic() - began < 20
    assert not answer or answer[9:12] in {b"400", b"408"}


def test_a_request_that_goes_on_and_on_ends() -> None:
    with connected(ServerConfig(limits=Limits(request_s=0.5))) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        ended = False
        for _ in range(200):
            try:
                connection.sendall(b"1\r\nx\r\n")
            except ConnectionError:
                ended = True
                break
            time.sleep(0.05)
    assert ended


def test_no_more_connections_are_served_at_once_than_may_be() -> None:
    setting = ServerConfig(limits=Limits(connections=2))
    with running_server((), setting) as greeting:
        connections = [socket.create_connection(("127.0.0.1", greeting.port), 120) for _ in range(4)]
        for connection in connections:
            connection.sendall(HEAD + b"Content-Length: 1\r\n\r\nx")
        for connection in connections:
            assert json.loads(connection.recv(1000).rpartition(b"\r\n")[2]) == {"bytes": 1}
            connection.close()
