"""A certificate for the loopback, made when the server starts and kept nowhere (trustme, the extra `tls`)."""

from __future__ import annotations

import ssl
from importlib.util import find_spec

from aether_harness import UsageError
from aether_stream_bench.wire import LOOPBACK


def require_trustme() -> None:
    """Make sure that a certificate can be made.

    Raises:
        UsageError: trustme is not installed.

    """
    if find_spec("trustme") is None:
        raise UsageError("TLS needs trustme: pip install 'aether-stream-bench[tls]'")


def new_context() -> tuple[ssl.SSLContext, str]:
    """Return a server's context with a fresh certificate, and the PEM of the authority that vouches for it.

    Raises:
        UsageError: trustme is not installed.

    """
    require_trustme()
    import trustme

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert(LOOPBACK, "localhost").configure_cert(context)
    return context, authority.cert_pem.bytes().decode()
