"""What the server lets a client ask of it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from aether_harness import ByteCount

Positive = Annotated[float, Meta(gt=0)]


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds of a request and of the server, so that no client has unbounded memory or time of it.

    `head_bytes` and `head_fields` bound a request's head, and each trailer; `head_s` is how long a head may take to
    come, `idle_s` how long nothing may come amid a body or between requests, `request_s` how long a request may take
    in all. `body_bytes` bounds a body, `connections` those served at once (for more, the one that has been idle the
    longest is closed; else they wait), `kept_uploads` the uploads of several requests that are remembered (the oldest
    is forgotten for a new one).
    """

    head_bytes: Annotated[ByteCount, Meta(ge=1)] = 32 * 2**10
    head_fields: Annotated[int, Meta(ge=1)] = 100
    head_s: Positive = 10.0
    idle_s: Positive = 60.0
    request_s: Positive = 3600.0
    body_bytes: Annotated[ByteCount, Meta(ge=0)] = 2**40
    connections: Annotated[int, Meta(ge=1)] = 4096
    kept_uploads: Annotated[int, Meta(ge=1)] = 1000
