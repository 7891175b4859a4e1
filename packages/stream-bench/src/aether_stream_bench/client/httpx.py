"""The uploader `httpx`."""

from __future__ import annotations

import ssl
from time import perf_counter_ns
from typing import TYPE_CHECKING

import httpx

from aether_stream_bench.client.base import Reply, TimedBody, UploadError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aether_stream_bench.client.base import Body, Endpoint


def open_client(endpoint: Endpoint) -> HttpxClient:
    """Return the uploader `httpx`."""
    return HttpxClient(endpoint)


class HttpxClient:
    """An httpx client with one connection to `endpoint` kept alive."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Open a client."""
        self._endpoint = endpoint
        self._context = ssl.create_default_context(cadata=endpoint.certificate)
        self._client: httpx.Client | None = None

    def _opened(self) -> httpx.Client:
        """Return the client, which is opened where it is not."""
        if self._client is not None:
            return self._client
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        self._client = httpx.Client(
            verify=self._context, timeout=self._endpoint.time_limit_s, limits=limits, trust_env=False
        )
        return self._client

    def request(self, method: str, target: str, fields: Mapping[str, str], body: Body | None) -> Reply:
        """Send a request and return the answer to it."""
        timed = TimedBody(body)
        headers = dict(fields)
        if body is not None and not body.chunked:
            headers["Content-Length"] = str(body.size)
        content = None if body is None else (bytes(piece) for piece in timed)
        started = perf_counter_ns()
        try:
            answer = self._opened().request(method, self._endpoint.origin + target, headers=headers, content=content)
        except (httpx.HTTPError, OSError) as error:
            self.close()
            problem = " ".join(f"{type(error).__name__}: {error}".split())
            raise UploadError(f"{self._endpoint.authority}: {problem}", is_transient=True) from None
        phases = timed.phases_ns(started, perf_counter_ns())
        return Reply(
            status=answer.status_code, fields=dict(answer.headers.items()), body=answer.content, phases_ns=phases
        )

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def opening_ns(self) -> dict[str, int]:
        """Return nothing: the library does not report it."""
        return {}
