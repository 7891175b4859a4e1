"""Conditions that uploads meet: a slow network, a slow server, one that refuses or hangs up. Seeded, so repeatable."""

from __future__ import annotations

import random
from http import HTTPStatus
from typing import Annotated

from msgspec import Meta, Struct

from aether_harness import ByteCount

Count = Annotated[int, Meta(ge=0)]
Milliseconds = Annotated[float, Meta(ge=0, le=600_000)]
OFF = 0


class FaultConfig(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Faults between a client and a server; by default none. 0 means never, or without a bound.

    `bandwidth` bounds the bytes a second of a connection. An answer comes after `latency_ms`, give or take up to
    `jitter_ms`. Before each piece of a body is taken, `drain_delay_ms` pass; once in a request, behind `stall_after`
    bytes, `stall_ms`. Every `disconnect_every`th upload is cut off behind `disconnect_after` bytes, every
    `busy_every`th answered with 429 and a Retry-After of `retry_after_s`, every `fail_every`th with 500.
    """

    bandwidth: Annotated[ByteCount, Meta(ge=0)] = OFF
    latency_ms: Milliseconds = OFF
    jitter_ms: Milliseconds = OFF
    drain_delay_ms: Milliseconds = OFF
    stall_after: Annotated[ByteCount, Meta(ge=0)] = OFF
    stall_ms: Milliseconds = OFF
    disconnect_after: Annotated[ByteCount, Meta(ge=0)] = OFF
    disconnect_every: Count = 1
    busy_every: Count = OFF
    retry_after_s: Count = 1
    fail_every: Count = OFF
    weather_seed: int = 1


class UploadFault(Struct, frozen=True):
    """The fault of one upload: a status instead of its own, and the number of bytes after which it is cut off."""

    status: HTTPStatus | None = None
    disconnect_after: int | None = None


NO_FAULT = UploadFault()


class FaultInjector:
    """The conditions as they come about: which upload is hit, and how long an answer takes."""

    def __init__(self, conditions: FaultConfig) -> None:
        """Begin with the first upload and the first draw."""
        self.conditions = conditions
        self.is_slow = bool(conditions.bandwidth or conditions.drain_delay_ms or conditions.stall_ms)
        self._uploads = 0
        self._draw = random.Random(conditions.weather_seed)  # noqa: S311 - a delay, not a secret

    def fate(self) -> UploadFault:
        """Return the fault of the next upload."""
        self._uploads += 1
        conditions = self.conditions
        status = None
        if conditions.busy_every and self._uploads % conditions.busy_every == 0:
            status = HTTPStatus.TOO_MANY_REQUESTS
        if conditions.fail_every and self._uploads % conditions.fail_every == 0:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
        cut = conditions.disconnect_after and conditions.disconnect_every
        if cut and self._uploads % conditions.disconnect_every == 0:
            return UploadFault(status, conditions.disconnect_after)
        return UploadFault(status) if status else NO_FAULT

    def answer_delay_s(self) -> float:
        """Return how long the next answer is held back."""
        conditions = self.conditions
        if not conditions.latency_ms and not conditions.jitter_ms:
            return 0.0
        return max(0.0, conditions.latency_ms + self._draw.uniform(-1, 1) * conditions.jitter_ms) / 1e3

    def piece_bytes(self, most: int) -> int:
        """Return the number of bytes to receive at once: about 20 ms of a limited bandwidth."""
        bandwidth = self.conditions.bandwidth
        return min(most, max(1, bandwidth // 50)) if bandwidth else most

    def piece_delay_s(self, before: int, after: int, elapsed_s: float) -> float:
        """Return how long to wait once a request's body has grown from `before` to `after` bytes in `elapsed_s`."""
        conditions = self.conditions
        delay = conditions.drain_delay_ms / 1e3 if after > before else 0.0
        if conditions.stall_ms and before <= conditions.stall_after < after:
            delay += conditions.stall_ms / 1e3
        if conditions.bandwidth:
            delay = max(delay, after / conditions.bandwidth - elapsed_s)
        return delay
