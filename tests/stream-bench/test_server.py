from __future__ import annotations

import hashlib
import http.client
import json
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import msgspec
import psutil
import pytest

from aether_harness import BenchError
from aether_harness.machine.affinity import allowed_cpus
from aether_stream_bench.server.faults import FaultConfig
from aether_stream_bench.server.limits import Limits
from aether_stream_bench.server_process import ServerConfig, running_server
from aether_stream_bench.wire import Greeting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVER = [sys.executable, "-P", "-m", "aether_stream_bench.server"]
MIB = 2**20
RESIDENT_LIMIT_BYTES = 150 * MIB
UPLOAD = b"PUT / HTTP/1.1\r\nHost: x\r\n"
LAST = b"Connection: close\r\n"

HOLD_A_SERVER = """
import sys
from aether_stream_bench.server_process import running_server
with running_server(()) as greeting:
    print(greeting.pid, greeting.port, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def client(server: Greeting) -> Iterator[http.client.HTTPConnection]:
    """Yield a kept-alive connection to the mock server."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    yield connection
    connection.close()


def receipt(response: http.client.HTTPResponse) -> Any:
    """Return the receipt of an upload that went well."""
    assert response.status == http.HTTPStatus.OK
    return json.loads(response.read())


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("size", [0, 1, 65_536, 3_000_001])
def test_an_upload_of_known_length_is_counted(client: http.client.HTTPConnection, method: str, size: int) -> None:
    client.request(method, "/any/path?at=all", body=bytes(size))
    assert receipt(client.getresponse()) == {"bytes": size}


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("sizes", [[], [1], [5, 4, 1], [100_000] * 20])
def test_a_chunked_upload_is_counted(client: http.client.HTTPConnection, method: str, sizes: list[int]) -> None:
    client.request(method, "/", body=map(bytes, sizes), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    assert receipt(client.getresponse()) == {"bytes": sum(sizes)}


@pytest.mark.parametrize("chunked", [True, False])
def test_the_digest_is_sent_where_it_was_asked_for(client: http.client.HTTPConnection, *, chunked: bool) -> None:
    body = bytes(range(256)) * 1000
    client.request(
        "PUT",
        "/",
        body=[body] if chunked else body,
        encode_chunked=chunked,
        headers={"Aether-Digest": "SHA256"} | ({"Transfer-Encoding": "chunked"} if chunked else {}),
    )
    assert receipt(client.getresponse()) == {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def test_a_digest_is_of_its_own_request_alone(client: http.client.HTTPConnection) -> None:
    client.request("PUT", "/", body=b"one", headers={"aether-digest": "sha256"})
    first = receipt(client.getresponse())
    client.request("PUT", "/", body=b"two", headers={"aether-digest": "sha256"})
    second = receipt(client.getresponse())
    client.request("PUT", "/", body=b"three")
    assert (first["sha256"], second["sha256"]) == tuple(hashlib.sha256(body).hexdigest() for body in (b"one", b"two"))
    assert receipt(client.getresponse()) == {"bytes": 5}


def test_a_digest_of_another_kind_is_not_made(client: http.client.HTTPConnection) -> None:
    client.request("PUT", "/", body=b"one", headers={"aether-digest": "md5"})
    assert receipt(client.getresponse()) == {"bytes": 3}


def test_an_empty_body_has_a_digest_too(client: http.client.HTTPConnection) -> None:
    client.request("PUT", "/", body=b"", headers={"aether-digest": "sha256"})
    assert receipt(client.getresponse()) == {"bytes": 0, "sha256": hashlib.sha256(b"").hexdigest()}


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_are_not_allowed_and_the_connection_goes_on(
    client: http.client.HTTPConnection, method: str
) -> None:
    client.request(method, "/")
    refused = client.getresponse()
    refused.read()
    assert refused.status == http.HTTPStatus.METHOD_NOT_ALLOWED
    assert refused.headers["Allow"] == "PUT, POST"
    same_socket = client.sock
    client.request("PUT", "/", body=b"1234")
    assert receipt(client.getresponse()) == {"bytes": 4}
    assert client.sock is same_socket


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02 garbage\r\n\r\n",
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        UPLOAD + b"Content-Length: -1\r\n\r\n",
        UPLOAD + b"Content-Length: many\r\n\r\n",
        UPLOAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        UPLOAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        UPLOAD + b"Transfer-Encoding: chunked\r\n\r\nno size\r\n",
        UPLOAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef",
        UPLOAD + b"no colon\r\n\r\n",
    ],
)
def test_what_is_no_request_is_answered_with_400_and_the_connection_closed(
    answer_to: Callable[[bytes], bytes], sent: bytes
) -> None:
    answer = answer_to(sent)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\nConnection: close\r\n" in answer
    assert answer_to(UPLOAD + LAST + b"Content-Length: 1\r\n\r\nx").endswith(b'{"bytes":1}')


def test_requests_sent_at_once_are_answered_in_their_order(answer_to: Callable[[bytes], bytes]) -> None:
    chunked = UPLOAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
    answer = answer_to(
        UPLOAD
        + b"Content-Length: 2\r\n\r\nab"
        + chunked
        + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        + UPLOAD
        + LAST
        + b"Content-Length: 0\r\n\r\n"
    )
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"200", b"200", b"405", b"200"]
    assert re.findall(rb'\{"bytes":(\d+)\}', answer) == [b"2", b"7", b"0"]


def test_a_connection_serves_one_upload_after_another(client: http.client.HTTPConnection) -> None:
    sockets = set()
    for size in range(50):
        client.request("PUT", "/", body=bytes(size))
        assert receipt(client.getresponse()) == {"bytes": size}
        sockets.add(client.sock)
    assert len(sockets) == 1


@pytest.mark.parametrize(
    "head",
    [UPLOAD + LAST, b"PUT / HTTP/1.0\r\n"],
    ids=["asked to close", "HTTP/1.0"],
)
def test_a_connection_is_closed_after_the_answer_where_that_is_asked_for(
    answer_to: Callable[[bytes], bytes], head: bytes
) -> None:
    answer = answer_to(head + b"Content-Length: 3\r\n\r\nabc")
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b'\r\n\r\n{"bytes":3}')


def test_a_request_that_comes_a_byte_at_a_time_is_counted(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in UPLOAD + LAST + b"Transfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n0\r\nTrailer: x\r\n\r\n":
        connection.send(bytes([byte]))
    with connection.makefile("rb") as answer:
        assert answer.read().endswith(b'{"bytes":3}')


@pytest.mark.parametrize("hard", [True, False], ids=["reset", "closed"])
@pytest.mark.parametrize("sent", [b"", b"PU", UPLOAD + b"Content-Length: 100\r\n\r\n0123456789"])
def test_a_connection_that_ends_midway_leaves_the_server_serving(
    connect: Callable[[], socket.socket],
    answer_to: Callable[[bytes], bytes],
    close_hard: Callable[[socket.socket], None],
    sent: bytes,
    *,
    hard: bool,
) -> None:
    for _ in range(3):
        connection = connect()
        connection.sendall(sent)
        if hard:
            close_hard(connection)
        else:
            connection.close()
    assert answer_to(UPLOAD + LAST + b"Content-Length: 1\r\n\r\nx").endswith(b'{"bytes":1}')


def test_a_client_that_hangs_up_without_reading_its_answers_leaves_the_server_serving(
    connect: Callable[[], socket.socket], answer_to: Callable[[bytes], bytes]
) -> None:
    connection = connect()
    connection.sendall((UPLOAD + b"Content-Length: 1\r\n\r\nx") * 1000)
    connection.close()
    assert answer_to(UPLOAD + LAST + b"Content-Length: 1\r\n\r\nx").endswith(b'{"bytes":1}')


def test_several_connections_are_served_at_once(connect: Callable[[], socket.socket]) -> None:
    connections = [connect() for _ in range(10)]
    for number, connection in enumerate(connections):
        connection.sendall(UPLOAD + LAST + b"Content-Length: %d\r\n\r\n" % (number + 1))
    counts = []
    for number, connection in reversed(list(enumerate(connections))):
        connection.sendall(bytes(number + 1))
        with connection.makefile("rb") as answer:
            counts += re.findall(rb'\{"bytes":(\d+)\}', answer.read())
    assert [int(count) for count in counts] == list(range(10, 0, -1))


def test_a_connection_that_sends_without_end_keeps_no_other_from_its_turn(
    connect: Callable[[], socket.socket], client: http.client.HTTPConnection
) -> None:
    # Chunks of one byte take longer to be counted than to be sent: there is always more to be received.
    endless, chunks, is_full = connect(), b"1\r\nx\r\n" * MIB, threading.Event()
    endless.settimeout(None)

    def send() -> None:
        endless.sendall(UPLOAD + b"Transfer-Encoding: chunked\r\n\r\n")
        with suppress(OSError):
            while True:
                endless.sendall(chunks)
                is_full.set()

    thread = threading.Thread(target=send)
    thread.start()
    try:
        assert is_full.wait(120)
        for size in range(5):
            client.request("PUT", "/", body=bytes(size))
            assert receipt(client.getresponse()) == {"bytes": size}
        assert thread.is_alive()
    finally:
        endless.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere another process's limits cannot be set")
def test_a_server_out_of_descriptors_waits_and_serves_when_there_are_some_again() -> None:
    with running_server((), ServerConfig(limits=Limits(head_s=200))) as greeting, ExitStack() as stack:
        server = psutil.Process(greeting.pid)

        def connect() -> socket.socket:
            return stack.enter_context(socket.create_connection(("127.0.0.1", greeting.port), timeout=120))

        def upload(connection: socket.socket) -> bytes:
            connection.sendall(UPLOAD + LAST + b"Content-Length: 1\r\n\r\nx")
            with connection.makefile("rb") as answer:
                return answer.read()

        assert upload(connect()).endswith(b'{"bytes":1}')
        most = server.num_fds() + 2
        server.rlimit(psutil.RLIMIT_NOFILE, (most, most))
        connections = [connect() for _ in range(6)]
        before = sum(server.cpu_times()[:2])
        time.sleep(1)
        assert sum(server.cpu_times()[:2]) - before < 0.3
        for connection in connections:
            assert upload(connection).endswith(b'{"bytes":1}')


def test_it_listens_on_the_loopback_only(server: Greeting) -> None:
    listening = [
        connection.laddr
        for connection in psutil.Process(server.pid).net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert {(address.ip, address.port) for address in listening} == {
        ("127.0.0.1", server.port),
        ("127.0.0.1", server.raw_port),
    }


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the loopback has one address")
def test_another_address_of_the_same_machine_finds_no_server(server: Greeting) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.port), timeout=120).close()


def test_two_servers_have_two_ports() -> None:
    with running_server(()) as first, running_server(()) as second:
        assert first.port != second.port


@pytest.mark.parametrize("chunked", [True, False])
def test_memory_stays_bounded_while_hundreds_of_mebibytes_are_uploaded(
    client: http.client.HTTPConnection, server: Greeting, *, chunked: bool
) -> None:
    block, count = bytes(4 * MIB), 64
    process = psutil.Process(server.pid)
    resident = []

    def blocks() -> Iterator[bytes]:
        for _ in range(count):
            yield block
            resident.append(process.memory_info().rss)

    headers = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(count * len(block))}
    client.request("PUT", "/", body=blocks(), encode_chunked=chunked, headers=headers)
    assert receipt(client.getresponse()) == {"bytes": 256 * MIB}
    assert max(resident) < RESIDENT_LIMIT_BYTES


def test_it_stops_when_its_standard_input_is_closed_even_amid_an_upload() -> None:
    with subprocess.Popen(SERVER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        greeting = msgspec.json.decode(process.stdout.readline(), type=Greeting)
        with socket.create_connection(("127.0.0.1", greeting.port), timeout=120) as connection:
            connection.sendall(UPLOAD + b"Content-Length: 100\r\n\r\n0123456789")
            process.stdin.close()
            assert process.wait(timeout=120) == 0
        assert process.stderr.read() == b""


def test_leaving_the_context_stops_it(is_running: Callable[[int], bool]) -> None:
    with running_server(()) as greeting:
        assert is_running(greeting.pid)
    assert not is_running(greeting.pid)


def test_an_error_inside_the_context_stops_it_too(is_running: Callable[[int], bool]) -> None:
    with pytest.raises(ZeroDivisionError), running_server(()) as greeting:
        _ = 1 / 0
    assert not is_running(greeting.pid)


def test_it_dies_when_its_parent_is_killed(
    is_running: Callable[[int], bool], eventually: Callable[[Callable[[], Any]], Any]
) -> None:
    command = [sys.executable, "-c", HOLD_A_SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid, port = map(int, parent.stdout.readline().split())
        with socket.create_connection(("127.0.0.1", port), timeout=120):
            assert is_running(pid)
            parent.kill()
            assert eventually(lambda: not is_running(pid))


@pytest.mark.skipif(not allowed_cpus(), reason="no pinning here")
def test_it_is_pinned_to_the_cpus_it_is_given() -> None:
    cpu = (allowed_cpus() or [0])[-1]
    with running_server((cpu,)) as greeting:
        assert greeting.note is None
        assert psutil.Process(greeting.pid).cpu_affinity() == [cpu]


@pytest.mark.skipif(not allowed_cpus(), reason="no pinning here")
def test_a_cpu_that_is_not_there_is_noted_and_it_serves_all_the_same() -> None:
    with running_server((1023,)) as greeting:
        assert (greeting.note or "").startswith("not pinned to CPU 1023: ")
        socket.create_connection(("127.0.0.1", greeting.port), timeout=120).close()


def test_a_server_that_does_not_come_up_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    setting = ServerConfig(conditions=FaultConfig(latency_ms=-1))
    with (
        pytest.raises(BenchError, match=r"^the mock server did not start: status 1$"),
        running_server((), setting),
    ):
        pass
    assert "latency_ms" in capfd.readouterr().err
