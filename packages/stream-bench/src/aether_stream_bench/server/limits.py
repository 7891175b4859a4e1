"""The limits for clients."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from aether_harness import ByteCount

Positive = Annotated[float, Meta(gt=0)]


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds of a request and of the server, so that no client has unbounded memory or time of it.

    `head_bytes` and `head_fields` bound a request's head, and each trailer. `head_s` is the time for a head, `idle_s`
    the maximum silence within a body or between requests, `request_s` the time for a whole request. `body_bytes` bounds
    a body, `connections` the concurrent ones (for more, the longest idle one is closed, else they wait), `kept_uploads`
    the remembered uploads of several requests (the oldest is forgotten for a new one).
    """

    head_bytes: Annotated[ByteCount, Meta(ge=1)] = 32 * 2**10
    head_fields: Annotated[int, Meta(ge=1)] = 100
    head_s: Positive = 10.0
    idle_s: Positive = 60.0
    request_s: Positive = 3600.0
    body_bytes: Annotated[ByteCount, Meta(ge=0)] = 2**40
    connections: Annotated[int, Meta(ge=1)] = 4096
    kept_uploads: Annotated[int, Meta(ge=1)] = 1000
