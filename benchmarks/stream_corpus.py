"""Sends a public corpus of ambiguous requests to the mock server, and counts the results of each class.

The corpus is that of aws/http-desync-guardian (`tests/*.yaml`); pass the folder of a downloaded copy. Compliant and
acceptable requests should be served, ambiguous and severe ones rejected or closed.
"""

from __future__ import annotations

import argparse
import glob
import os
import socket
from collections import Counter
from typing import Any

import yaml

from aether_stream_bench.server import Limits
from aether_stream_bench.server_process import ServerConfig, running_server

MOST_BODY_BYTES = 2**23
REFUSALS = {"400", "408", "413", "414", "417", "431", "501", "505"}
SERVED_TIERS = {"Compliant", "Acceptable"}


def raw(case: dict[str, Any]) -> bytes:
    """Return a case as it goes over the wire."""

    def text(value: object) -> bytes:
        return ("" if value is None else str(value)).encode()

    version = text(case.get("version"))
    line = text(case.get("method")) + b" " + text(case.get("uri")) + (b" " + version if version else b"") + b"\r\n"
    fields = [text(each.get("name")) + b": " + text(each.get("value")) + b"\r\n" for each in case.get("headers") or []]
    # The corpus does not test the Host field, and HTTP/1.1 without one is rejected.
    named = any(field.lower().startswith(b"host") for field in fields)
    return line + b"".join(fields) + (b"" if named else b"Host: x\r\n") + b"\r\n"


def told(case: dict[str, Any]) -> str:
    """Return a case in short: its first line, and the fields that the corpus finds worth a remark or divide bodies."""
    fields = [
        each
        for each in case.get("headers") or []
        if each.get("tier") != "Compliant" or str(each.get("name")).lower() in {"transfer-encoding", "content-length"}
    ]
    line, *rest = raw({**case, "headers": fields}).split(b"\r\n")
    return " | ".join(repr(each)[2:-1] for each in (line, *rest) if each and each != b"Host: x")


def body_of(case: dict[str, Any]) -> bytes:
    """Return the body that a case announces, if it does so properly."""
    fields = {str(each.get("name")).lower(): str(each.get("value")).strip() for each in case.get("headers") or []}
    if fields.get("transfer-encoding", "").lower() == "chunked":
        return b"0\r\n\r\n"
    length = fields.get("content-length", "")
    return bytes(int(length)) if length.isdigit() and int(length) < MOST_BODY_BYTES else b""


def answered(port: int, data: bytes) -> str:
    """Return the status of the answer to `data`, or how it went without one."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        received = b""
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while more := connection.recv(65536):
                received += more
        except OSError:
            pass
    return received[9:12].decode("latin-1") if received else "closed"


def main() -> None:
    """Send all and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="the corpus: a folder of YAML files")
    parser.add_argument("-v", "--verbose", action="store_true", help="name each that is not treated as its class")
    options = parser.parse_args()
    table: dict[str, Counter[str]] = {}
    with running_server((), ServerConfig(limits=Limits(head_s=2, idle_s=2))) as greeting:
        for path in sorted(glob.glob(os.path.join(options.folder, "*.yaml"))):
            with open(path, encoding="utf-8") as file:
                cases = yaml.safe_load(file)
            for case in cases or []:
                tier = str((case.get("expected") or {}).get("tier", "?"))
                status = answered(greeting.port, raw(case) + body_of(case))
                refused = status == "closed" or status in REFUSALS
                table.setdefault(tier, Counter())["refused or closed" if refused else "served"] += 1
                if options.verbose and refused == (tier in SERVED_TIERS):
                    print(f"{tier}, {status}: {os.path.basename(path)}: {case.get('name')}: {told(case)}")
    for tier, outcomes in table.items():
        print(f"{tier:<12} {sum(outcomes.values()):>5}: " + ", ".join(f"{n} {what}" for what, n in outcomes.items()))


if __name__ == "__main__":
    main()
