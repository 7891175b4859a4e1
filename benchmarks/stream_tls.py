"""The cost of TLS: an upload, a raw socket over TLS to the same server, and the cipher alone, in turns.

The client is on one CPU and the server on the other, and as in the bench neither sleeps while it waits. `openssl speed`
seals records of 16 KiB on the client's CPU by the cipher that was agreed on; no byte of them goes anywhere.
"""

from __future__ import annotations

import shutil
import subprocess
import time

from stream_turns import print_line, print_table, turns_of

from aether_schema import quantile
from aether_stream_bench.client.base import Endpoint
from aether_stream_bench.client.builtin import BuiltinClient
from aether_stream_bench.net.connect import connect
from aether_stream_bench.net.tls_socket import RECORD_BYTES, MemoryTlsSocket
from aether_stream_bench.raw_throughput import raw_throughput_mbs
from aether_stream_bench.server_process import ServerConfig, running_server
from aether_stream_bench.uploads import Uploader

#: The names of TLS 1.3 ciphers in `openssl speed`.
CIPHERS = {"TLS_AES_256_GCM_SHA384": "aes-256-gcm", "TLS_AES_128_GCM_SHA256": "aes-128-gcm"}


def cipher_mbs(name: str) -> float:
    """Return how fast OpenSSL seals by a cipher, in MB/s."""
    command = ["openssl", "speed", "-mr", "-seconds", "1", "-bytes", str(RECORD_BYTES), "-evp", name]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (line,) = (line for line in said.splitlines() if line.startswith("+F:"))
    return float(line.rpartition(":")[2]) / 1e6


def main() -> None:
    """Measure in turns and print a table."""
    asked = turns_of(__doc__, turns=20, uploads=12)
    is_busy = asked.client_cpu != asked.server_cpu
    with running_server([asked.server_cpu], ServerConfig(tls=True, is_busy=is_busy)) as greeting:
        endpoint = Endpoint(
            host="127.0.0.1", port=greeting.port, tls=True, certificate=greeting.certificate, spin=is_busy
        )
        probe = connect(endpoint, greeting.port)
        assert isinstance(probe, MemoryTlsSocket)
        cipher = CIPHERS.get(probe.cipher(), "")
        probe.close()
        speed: list[float] = []
        raw: list[float] = []
        upload: list[float] = []
        for turn in range(asked.turns):
            if cipher and shutil.which("openssl") and turn % 4 == 0:
                speed.append(cipher_mbs(cipher))
            raw.append(raw_throughput_mbs(endpoint, greeting.raw_port, asked.payload))
            with BuiltinClient(endpoint) as client:
                uploading = Uploader(client, endpoint, asked.payload)
                uploading.upload()
                taken = []
                for _ in range(asked.uploads):
                    began = time.perf_counter_ns()
                    uploading.upload()
                    taken.append(time.perf_counter_ns() - began)
                upload.append(asked.payload.size / quantile(taken, 0.5) * 1e3)
    print_table(asked, {f"openssl speed -evp {cipher}": speed, "raw TLS": raw, "upload": upload})
    shares = [mine / limit for mine, limit in zip(upload, raw, strict=True)]
    print_line("upload / raw TLS, turn by turn", shares, ".2f")


if __name__ == "__main__":
    main()
