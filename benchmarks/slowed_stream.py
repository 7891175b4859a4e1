"""The streaming bench, slowed down by a known share: `aether-bench run benchmarks/slowed_stream.py`.

An uploader that spins on after an upload makes the upload itself the quicker one, by 2 % for 5 %, so this one sends a
share of the bytes once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from slowed import SlowedBench

from aether_stream_bench.bench import StreamParams, streaming

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether_harness import SampleResult, Session

PAYLOAD_BYTES = 8 * 2**20


def sending_more(share: float) -> StreamParams:
    """Return an upload of the payload, and of a share of it once more."""
    return StreamParams(payload=round(PAYLOAD_BYTES * (1 + share)), one_cpu=True)


def counting_once(session: Session, _: float) -> Callable[[], SampleResult | None]:
    """Return a function that does the operation of `session` and counts no byte twice."""

    def sample() -> SampleResult | None:
        result = session.sample()
        return None if result is None else replace(result, moved_bytes=PAYLOAD_BYTES)

    return sample


slowed_streaming = SlowedBench(streaming, sending_more, counting_once)
