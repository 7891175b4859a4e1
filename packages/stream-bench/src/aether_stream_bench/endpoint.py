"""The target of a bench's uploads: the mock server, or the address of the user's server."""

from __future__ import annotations

import socket

from aether_harness import BenchError
from aether_stream_bench.client.base import Endpoint

#: A foreign server gets at most this number of uploads per round, and for this time.
MAX_UPLOADS = 1000
MAX_ROUND_S = 300.0


def parse_endpoint(url: str, *, remote: bool) -> Endpoint:
    """Return the endpoint of the user's own address.

    Raises:
        BenchError: it is no http or https address, or not on this machine and `remote` does not allow that.

    """
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not host or parts.username is not None:
        raise BenchError(f"-p stream.url={url}: takes an address such as http://127.0.0.1:8000/upload")
    if not url.isascii() or any(character.isspace() for character in url):
        raise BenchError(f"-p stream.url={url}: takes ASCII without spaces; encode the rest with %")
    if not remote and not is_loopback(host):
        raise BenchError(
            f"-p stream.url={url}: {host} is not this machine; "
            "to upload to somebody's server all the same, add -p stream.remote=true"
        )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    tls = parts.scheme == "https"
    return Endpoint(host=host, port=port or (443 if tls else 80), tls=tls, target=target, is_mock_server=False)


def is_loopback(host: str) -> bool:
    """Return whether every address of a host is this machine's own."""
    import ipaddress

    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(address[0]).is_loopback for *_, address in found)
