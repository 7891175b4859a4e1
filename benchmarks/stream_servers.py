"""How the mock server compares, on loopback and the same two CPUs, one run: iperf3, uvicorn, granian, nginx.

The client runs on one CPU, the server on the other; every server gets the same uploads from the same uploader, in
turns. iperf3 and nginx are found on the path, uvicorn and granian in this environment; missing ones are skipped. Every
server ends with this script.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING

from stream_turns import print_table, turns_of

from aether_stream_bench.client.base import Endpoint
from aether_stream_bench.client.builtin import BuiltinClient
from aether_stream_bench.raw_throughput import raw_throughput_mbs
from aether_stream_bench.server_process import ServerConfig, running_server
from aether_stream_bench.uploads import Kind, Uploader

if TYPE_CHECKING:
    from collections.abc import Sequence

LENGTHS = ("128K", "256K", "512K", "1M")
START_LIMIT_S = 10.0
APPLICATION = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    count = 0
    while True:
        message = await receive()
        count += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    body = b'{"bytes":%d}' % count
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
"""
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log; {user}
events {{}}
http {{
  access_log off; client_max_body_size 0; client_body_temp_path {folder}/body; client_body_buffer_size 1m;
  proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  keepalive_requests 100000;
  server {{
    listen 127.0.0.1:{port};
    location / {{ root {folder}/root; dav_methods PUT; create_full_put_path on; }}
  }}
}}
"""


def free_port() -> int:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def started(stack: ExitStack, command: Sequence[str], port: int, cpu: int, folder: str) -> Endpoint:
    """Start a server on a CPU, wait until it listens, and have it ended with `stack`."""
    pinned = ["taskset", "-c", str(cpu), *command]
    process = subprocess.Popen(pinned, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def end() -> None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()

    stack.callback(end)
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return Endpoint(host="127.0.0.1", port=port, is_mock_server=False)
    raise SystemExit(f"{command[0]} does not listen on {port}")


def others(stack: ExitStack, cpu: int) -> dict[str, Endpoint]:
    """Start the servers that are installed, by name."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="aether-servers-"))
    with open(os.path.join(folder, "application.py"), "w", encoding="utf-8") as file:
        file.write(APPLICATION)
    found = {}
    for name, words in (
        ("uvicorn", ["--http", "httptools", "--loop", "auto", "--no-access-log", "application:app"]),
        ("granian", ["--interface", "asgi", "--no-access-log", "--workers", "1", "application:app"]),
    ):
        if find_spec(name):
            port = free_port()
            command = [sys.executable, "-m", name, "--host", "127.0.0.1", "--port", str(port), *words]
            found[name] = started(stack, command, port, cpu, folder)
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx:
        port = free_port()
        # In memory where there is such a file system, so that no disk is measured.
        root = "/dev/shm" if os.path.isdir("/dev/shm") else folder  # noqa: S108 - a folder of its own within
        files = stack.enter_context(tempfile.TemporaryDirectory(prefix="aether-nginx-", dir=root))
        for name in ("root", "body", "p", "f", "u", "s"):
            os.mkdir(os.path.join(files, name))
        user = f"user {'root' if os.getuid() == 0 else 'nobody'};" if os.getuid() == 0 else ""
        configuration = os.path.join(files, "nginx.conf")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(NGINX.format(folder=files, port=port, user=user))
        found["nginx (DAV PUT)"] = started(stack, [nginx, "-c", configuration], port, cpu, files)
    return found


def iperf3(lengths: Sequence[str], client_cpu: int, server_cpu: int, seconds: float) -> dict[str, float]:
    """Return the throughput of iperf3 in MB/s, by the length of a write."""
    found = {}
    for length in lengths:
        port = free_port()
        pinned = ["taskset", "-c", str(server_cpu)]
        server = subprocess.Popen(
            [*pinned, "iperf3", "-s", "-1", "-B", "127.0.0.1", "-p", str(port)],
            stdout=subprocess.DEVNULL,
        )
        time.sleep(0.3)
        client = ["taskset", "-c", str(client_cpu), "iperf3", "-c", "127.0.0.1", "-p", str(port), "-J"]
        answer = subprocess.run([*client, "-l", length, "-t", f"{seconds:g}"], capture_output=True, check=False)
        server.terminate()
        server.wait()
        if answer.returncode == 0:
            found[length] = json.loads(answer.stdout)["end"]["sum_received"]["bits_per_second"] / 8e6
    return found


def main() -> None:
    """Measure all in turns and print a table."""
    asked = turns_of(__doc__, turns=12, uploads=15)
    payload, client_cpu, server_cpu = asked.payload, asked.client_cpu, asked.server_cpu
    with ExitStack() as stack:
        servers: dict[str, tuple[Endpoint, Kind]] = {}
        greeting = stack.enter_context(running_server([server_cpu]))
        own = Endpoint(host="127.0.0.1", port=greeting.port)
        servers["mock server, chunked"] = (own, "chunked")
        servers["mock server, Content-Length"] = (own, "length")
        for name, endpoint in others(stack, server_cpu).items():
            servers[f"{name}, chunked"] = (endpoint, "chunked")
            servers[f"{name}, Content-Length"] = (endpoint, "length")
        secure = (
            stack.enter_context(running_server([server_cpu], ServerConfig(tls=True))) if find_spec("trustme") else None
        )
        over_tls = None
        if secure is not None:
            over_tls = Endpoint(host="127.0.0.1", port=secure.port, tls=True, certificate=secure.certificate)
            servers["mock server, TLS"] = (over_tls, "chunked")
        figures: dict[str, list[float]] = {name: [] for name in servers}
        names = ("iperf3 -l 128K", "iperf3, best length", "raw socket", "raw TLS")
        limits: dict[str, list[float]] = {name: [] for name in names}
        clients = {name: BuiltinClient(endpoint) for name, (endpoint, _) in servers.items()}
        for turn in range(asked.turns):
            if turn % 3 == 0 and shutil.which("iperf3"):
                found = iperf3(LENGTHS, client_cpu, server_cpu, 1)
                limits["iperf3 -l 128K"].append(found["128K"])
                limits["iperf3, best length"].append(max(found.values()))
            assert greeting.raw_port is not None
            limits["raw socket"].append(raw_throughput_mbs(own, greeting.raw_port, payload))
            if secure is not None and secure.raw_port is not None and over_tls is not None:
                limits["raw TLS"].append(raw_throughput_mbs(over_tls, secure.raw_port, payload))
            for name, (endpoint, kind) in servers.items():
                # A fresh connection a turn: some servers close one that has been idle for some seconds.
                clients[name].close()
                uploading = Uploader(clients[name], endpoint, payload, kind=kind)
                uploading.upload()
                for _ in range(asked.uploads):
                    began = time.perf_counter_ns()
                    uploading.upload()
                    figures[name].append(payload.size / (time.perf_counter_ns() - began) * 1e3)
        for client in clients.values():
            client.close()
    print_table(asked, {**limits, **figures})


if __name__ == "__main__":
    main()
