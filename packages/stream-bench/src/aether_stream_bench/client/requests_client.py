"""The uploaders `requests` and `niquests`, which are used alike."""

from __future__ import annotations

import os
from contextlib import ExitStack
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from aether_harness.machine.scratch import scratch_folder
from aether_stream_bench.client.base import Reply, TimedBody, UploadError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aether_stream_bench.client.base import Body, Endpoint


def open_requests(endpoint: Endpoint) -> SessionClient:
    """Return the uploader `requests`."""
    import requests

    return SessionClient(endpoint, requests)


def open_niquests(endpoint: Endpoint) -> SessionClient:
    """Return the uploader `niquests`."""
    import niquests

    return SessionClient(endpoint, niquests)


class SizedBody:
    """A body of known length as these libraries take one: they ask it for its length and iterate it."""

    def __init__(self, pieces: TimedBody, size: int) -> None:
        """Hand `pieces` on, which are `size` bytes."""
        self._pieces = iter(_bytes(pieces))
        self._rest = b""
        self._size = size

    def __len__(self) -> int:
        """Return how many bytes there are."""
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        """Yield the pieces."""
        return self._pieces

    def read(self, most: int = -1) -> bytes:
        """Return the next piece, cut to `most` bytes, or nothing at the end."""
        piece = self._rest or next(self._pieces, b"")
        if most < 0:
            return piece + b"".join(self._pieces)
        self._rest = piece[most:]
        return piece[:most]


def _bytes(pieces: TimedBody) -> Iterator[bytes]:
    return (bytes(piece) for piece in pieces)


class SessionClient:
    """A session of `library`, with one connection to `endpoint` kept alive."""

    def __init__(self, endpoint: Endpoint, library: Any) -> None:  # noqa: ANN401 - one of two modules alike
        """Open a session."""
        self._endpoint = endpoint
        self._library = library
        self._stack = ExitStack()
        self._session: Any = None

    def _opened(self) -> Any:  # noqa: ANN401 - of one of two modules alike
        """Return the session, which is opened where it is not."""
        if self._session is None:
            self._session = self._stack.enter_context(self._library.Session())
            self._session.trust_env = False
            if self._endpoint.certificate is not None:
                # These libraries take an authority as a file's name only.
                folder = self._stack.enter_context(scratch_folder())
                path = os.path.join(folder, "authority.pem")
                with open(path, "w", encoding="ascii") as file:
                    file.write(self._endpoint.certificate)
                self._session.verify = path
        return self._session

    def request(self, method: str, target: str, fields: Mapping[str, str], body: Body | None) -> Reply:
        """Send a request and return the answer to it."""
        timed = TimedBody(body)
        data: object = None
        headers = dict(fields)
        if body is not None:
            data = _bytes(timed) if body.chunked else SizedBody(timed, body.size) if body.size else b""
        session = self._opened()
        started = perf_counter_ns()
        try:
            answer = session.request(
                method,
                self._endpoint.origin + target,
                headers=headers,
                data=data,
                timeout=self._endpoint.time_limit_s,
                allow_redirects=False,
            )
            content = answer.content or b""
        except (self._library.exceptions.RequestException, OSError) as error:
            self.close()
            raise UploadError(f"{self._endpoint.authority}: {_one_line(error)}", is_transient=True) from None
        answered = perf_counter_ns()
        names = {name.lower(): value for name, value in answer.headers.items()}
        return Reply(
            status=answer.status_code, fields=names, body=content, phases_ns=timed.phases_ns(started, answered)
        )

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        self._session = None
        self._stack.close()

    def opening_ns(self) -> dict[str, int]:
        """Return nothing: the library does not report it."""
        return {}


def _one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
