"""What TLS leaves of an upload: beside a raw socket over TLS to the same server, and the cipher alone, in turns.

The client is on one CPU and the server on the other, and as in the bench neither sleeps while it waits. `openssl speed`
seals records of 16 KiB on the client's CPU by the cipher that was agreed on; no byte of them goes anywhere.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import time

from aether_harness.affinity import allowed_cpus, pin
from aether_schema import quantile
from aether_stream_bench.client.builtin import BuiltinClient
from aether_stream_bench.client.dial import dial
from aether_stream_bench.client.interface import Endpoint
from aether_stream_bench.kind import Uploading
from aether_stream_bench.limit import limit_mbs
from aether_stream_bench.payload import Payload
from aether_stream_bench.process import Setting, running_server
from aether_stream_bench.secure import RECORD_BYTES, SecureSocket

#: What `openssl speed` calls the ciphers of TLS 1.3.
CIPHERS = {"TLS_AES_256_GCM_SHA384": "aes-256-gcm", "TLS_AES_128_GCM_SHA256": "aes-128-gcm"}


def cipher_mbs(name: str) -> float:
    """Return how fast OpenSSL seals by a cipher, in MB/s."""
    command = ["openssl", "speed", "-mr", "-seconds", "1", "-bytes", str(RECORD_BYTES), "-evp", name]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (line,) = (line for line in said.splitlines() if line.startswith("+F:"))
    return float(line.rpartition(":")[2]) / 1e6


def main() -> None:
    """Measure in turns and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--uploads", type=int, default=12, help="a turn; %(default)s")
    parser.add_argument("--payload", type=int, default=8 * 2**20)
    parser.add_argument("--chunk", type=int, default=128 * 2**10)
    options = parser.parse_args()
    cpus = allowed_cpus() or [0]
    client_cpu, server_cpu = cpus[-1], cpus[0]
    pin([client_cpu])
    payload = Payload(size=options.payload, chunk=options.chunk, seed=1)
    is_busy = client_cpu != server_cpu
    with running_server([server_cpu], Setting(tls=True, is_busy=is_busy)) as greeting:
        endpoint = Endpoint(
            host="127.0.0.1", port=greeting.port, tls=True, certificate=greeting.certificate, is_busy=is_busy
        )
        probe = dial(endpoint, greeting.port)
        assert isinstance(probe, SecureSocket)
        cipher = CIPHERS.get(probe.cipher(), "")
        probe.close()
        names = {f"openssl speed -evp {cipher}": [], "raw TLS": [], "upload": []}
        figures: dict[str, list[float]] = dict(names)
        speed, raw, upload = figures.values()
        for turn in range(options.turns):
            if cipher and shutil.which("openssl") and turn % 4 == 0:
                speed.append(cipher_mbs(cipher))
            raw.append(limit_mbs(endpoint, greeting.raw_port, payload))
            with BuiltinClient(endpoint) as client:
                uploading = Uploading(client, endpoint, payload)
                uploading.upload()
                taken = []
                for _ in range(options.uploads):
                    began = time.perf_counter_ns()
                    uploading.upload()
                    taken.append(time.perf_counter_ns() - began)
                upload.append(payload.size / quantile(taken, 0.5) * 1e3)
    print(f"client on CPU {client_cpu}, server on {server_cpu}; {options.payload} bytes, chunks of {options.chunk}\n")
    print(f"{'MB/s':<36}{'median':>9}{'p5':>9}{'p95':>9}")
    for name, values in figures.items():
        if values:
            print(f"{name:<36}" + "".join(f"{quantile(values, share):>9,.0f}" for share in (0.5, 0.05, 0.95)))
    ratios = [mine / limit for mine, limit in zip(upload, raw, strict=True)]
    shares = "".join(f"{quantile(ratios, share):>9.2f}" for share in (0.5, 0.05, 0.95))
    print(f"{'upload / raw TLS, turn by turn':<36}{shares}")


if __name__ == "__main__":
    main()
