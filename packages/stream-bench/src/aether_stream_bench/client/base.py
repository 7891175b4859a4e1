"""The interface of uploaders, which a plugin implements, and how they are found.

An entry point of the group `aether.uploaders` names a function `(endpoint) -> client`; a client sends one request
at a time. The kinds of upload are made of such requests in `aether_stream_bench.uploads`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from time import perf_counter_ns
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from aether_harness import BenchError, UsageError
from aether_harness.benchmark.parameters import suggestion
from aether_stream_bench.chunk_timer import STRETCH_BYTES, ChunkTimer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENTRY_POINT_GROUP = "aether.uploaders"
DEFAULT_UPLOADER = "builtin"
TIME_LIMIT_S = 60.0


class UploadError(BenchError):
    """An upload that failed; `is_transient` where the same might go well a moment later."""

    def __init__(self, message: str, *, is_transient: bool = False, retry_after_s: float = 0.0) -> None:
        """Fail with `message`; `retry_after_s` is the server's Retry-After."""
        super().__init__(message)
        self.is_transient = is_transient
        self.retry_after_s = retry_after_s


class Endpoint(Struct, frozen=True, kw_only=True):
    """The address for uploads. `certificate` is the PEM of an additional trusted authority, or None.

    `target` is the path, with its query if it has one. A server that `is_mock_server` is the mock server. It is waited
    for without sleep if it `spin`, on a CPU of its own as the client is; or it runs on the client's, `one_cpu`.
    """

    host: str
    port: int
    tls: bool = False
    target: str = "/upload"
    certificate: str | None = None
    is_mock_server: bool = True
    time_limit_s: float = TIME_LIMIT_S
    spin: bool = False
    one_cpu: bool = False

    @property
    def authority(self) -> str:
        """Host and port, as errors and the Host field have them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self.tls else 'http'}://{self.authority}"


class Body(Struct, frozen=True, kw_only=True):
    """A body: pieces in order, a chunk each where `chunked`, and how many bytes they are in all.

    An uploader may report the time of pieces to `pace`, if there is one.
    """

    pieces: Iterable[memoryview]
    size: int
    chunked: bool = True
    pace: ChunkTimer | None = None


class Reply(Struct, frozen=True, kw_only=True):
    """A server's response; names of `fields` are in lower case. `phases_ns` are named parts of the exchange."""

    status: int
    fields: Mapping[str, str]
    body: bytes
    phases_ns: dict[str, int] = {}


class Client(Protocol):
    """One connection of an uploader, for successive requests."""

    def request(self, method: str, target: str, fields: Mapping[str, str], body: Body | None) -> Reply:
        """Send a request and return its response, for any status.

        Raises:
            UploadError: there was no connection, or it broke; passing, so that the upload may be tried again.

        """

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""

    def opening_ns(self) -> dict[str, int]:
        """Return how long the newest connection took to be made, `connect` and `tls`, where that is known."""


def uploader_names() -> list[str]:
    """Return the names of the installed uploaders."""
    from importlib.metadata import entry_points

    return sorted({entry.name for entry in entry_points(group=ENTRY_POINT_GROUP)})


@cache
def load_uploader(name: str) -> Callable[[Endpoint], Client]:
    """Return the function that opens a client of the uploader `name`.

    Raises:
        UsageError: there is none of that name, or the library it needs is not installed.

    """
    from importlib.metadata import entry_points

    found = list(entry_points(group=ENTRY_POINT_GROUP, name=name))
    if not found:
        raise UsageError(f"uploader {name}: no such uploader{suggestion(name, uploader_names())}")
    try:
        opener: Callable[[Endpoint], Client] = found[0].load()
    except ModuleNotFoundError as error:
        extra = f": pip install 'aether-stream-bench[{name}]'" if error.name == name else ""
        raise UsageError(f"uploader {name} needs {error.name}{extra}") from None
    except Exception as error:  # noqa: BLE001 - a broken pool's, a lost scheduler's: each has errors of its own
        raise UsageError(f"uploader {name} cannot be imported: {type(error).__name__}: {error}") from None
    return opener


class TimedBody:
    """The pieces of a body on their way into a client library: how long it takes them, and when it has the last."""

    def __init__(self, body: Body | None) -> None:
        """Pass the pieces of `body` on, none where there is none."""
        self._body = body
        self.ended_ns = 0

    def __iter__(self) -> Iterator[memoryview]:
        """Yield the pieces and note how long they take."""
        if self._body is not None and self._body.pace is not None:
            yield from self._paced(self._body.pieces, self._body.pace)
        elif self._body is not None:
            yield from self._body.pieces
        self.ended_ns = perf_counter_ns()

    @staticmethod
    def _paced(pieces: Iterable[memoryview], pace: ChunkTimer) -> Iterator[memoryview]:
        began, taken = perf_counter_ns(), 0
        for piece in pieces:
            yield piece
            taken += len(piece)
            if taken >= STRETCH_BYTES:
                now = perf_counter_ns()
                pace.add(taken, now - began)
                began, taken = now, 0
        if taken:
            pace.add(taken, perf_counter_ns() - began)

    def phases_ns(self, started_ns: int, answered_ns: int) -> dict[str, int]:
        """Return the phases visible from outside of a library: until it took the body, and until its response."""
        if not self.ended_ns:
            return {}
        return {"send": self.ended_ns - started_ns, "response": answered_ns - self.ended_ns}
