"""The uploader `aiohttp`, in an event loop of its own that runs while a request is under way."""

from __future__ import annotations

import asyncio
import logging
import ssl
from time import perf_counter_ns
from typing import TYPE_CHECKING

import aiohttp

from aether_stream_bench.client.base import Reply, TimedBody, UploadError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from aether_stream_bench.client.base import Body, Endpoint

# After a hang-up during an upload, asyncio logs every further piece; here it is a single error.
logging.getLogger("asyncio").addFilter(lambda record: record.msg != "socket.send() raised exception.")


def open_client(endpoint: Endpoint) -> AiohttpClient:
    """Return the uploader `aiohttp`."""
    return AiohttpClient(endpoint)


class AiohttpClient:
    """An aiohttp session with one connection to `endpoint` kept alive."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Upload to `endpoint`."""
        self._endpoint = endpoint
        self._loop = asyncio.new_event_loop()
        self._session: aiohttp.ClientSession | None = None
        self._context = ssl.create_default_context(cadata=endpoint.certificate) if endpoint.tls else None

    def request(self, method: str, target: str, fields: Mapping[str, str], body: Body | None) -> Reply:
        """Send a request and return the answer to it."""
        if self._loop.is_closed():
            self._loop = asyncio.new_event_loop()
        try:
            return self._loop.run_until_complete(self._request(method, target, fields, body))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            problem = " ".join(f"{type(error).__name__}: {error}".split())
            raise UploadError(f"{self._endpoint.authority}: {problem}", is_transient=True) from None

    async def _request(self, method: str, target: str, fields: Mapping[str, str], body: Body | None) -> Reply:
        if self._session is None:
            limit = aiohttp.ClientTimeout(total=None, sock_read=self._endpoint.time_limit_s)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=1), timeout=limit, auto_decompress=False
            )
        timed = TimedBody(body)

        async def pieces() -> AsyncIterator[memoryview]:
            for piece in timed:
                yield piece

        headers = dict(fields)
        if body is not None and not body.chunked:
            headers["Content-Length"] = str(body.size)
        started = perf_counter_ns()
        async with self._session.request(
            method,
            self._endpoint.origin + target,
            headers=headers,
            data=None if body is None else pieces(),
            ssl=self._context if self._context is not None else True,
            allow_redirects=False,
        ) as answer:
            content = await answer.read()
            phases = timed.phases_ns(started, perf_counter_ns())
            names = {name.lower(): value for name, value in answer.headers.items()}
            return Reply(status=answer.status, fields=names, body=content, phases_ns=phases)

    def close(self) -> None:
        """Close the connection."""
        if self._session is not None and not self._loop.is_closed():
            self._loop.run_until_complete(self._session.close())
        self._session = None
        self._loop.close()

    def opening_ns(self) -> dict[str, int]:
        """Return nothing: the library does not report it."""
        return {}
