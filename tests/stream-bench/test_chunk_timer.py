from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_harness import UsageError
from aether_schema import quantile
from aether_stream_bench.chunk_timer import MAX_SPANS, STRETCH_BYTES, ChunkTimer, chunk_times_ms
from aether_stream_bench.client.base import Body, Endpoint, TimedBody, load_uploader
from aether_stream_bench.payload import Payload
from aether_stream_bench.uploads import Kind, Uploader

if TYPE_CHECKING:
    from aether_stream_bench.wire import Greeting

CHUNKED = {"chunked", "expect", "post", "two-phase", "resumable"}


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=200), st.floats(0, 1))
def test_chunks_that_went_one_by_one_have_the_quantiles_of_their_times(elapsed: list[int], probability: float) -> None:
    pace = ChunkTimer()
    for elapsed_ns in elapsed:
        pace.add(1000, elapsed_ns)
    (found,) = chunk_times_ms([pace], 1000, [probability])
    assert found == pytest.approx(quantile([elapsed_ns / 1e6 for elapsed_ns in elapsed], probability))


def test_chunks_that_went_at_once_share_the_time() -> None:
    pace = ChunkTimer()
    pace.add(8000, 8_000_000)
    pace.add(2000, 20_000_000)
    assert chunk_times_ms([pace], 1000, [0.0, 0.5, 1.0]) == [1.0, 1.0, 10.0]


def test_what_stands_behind_the_last_chunk_is_none() -> None:
    pace = ChunkTimer()
    pace.add(1000, 1_000_000)
    pace.add(7, 9_000_000)
    assert chunk_times_ms([pace], 1000, [1.0]) == [1.0]
    assert chunk_times_ms([ChunkTimer()], 1000, [1.0]) == []


def test_however_much_goes_out_a_bounded_part_is_kept_and_from_all_of_the_way() -> None:
    pace = ChunkTimer()
    for number in range(100 * MAX_SPANS):
        pace.add(1000, number)
    assert MAX_SPANS // 4 < len(pace.spans) < MAX_SPANS
    (median,) = chunk_times_ms([pace], 1000, [0.5])
    assert median * 1e6 == pytest.approx(50 * MAX_SPANS, rel=0.05)


@pytest.mark.parametrize(("size", "stretches"), [(STRETCH_BYTES, 10), (STRETCH_BYTES // 8, 2), (1, 1)])
def test_a_clock_is_read_no_oftener_than_every_64_kib(size: int, stretches: int) -> None:
    pace = ChunkTimer()
    pieces = [memoryview(bytes(size))] * 10
    assert list(TimedBody(Body(pieces=pieces, size=10 * size, pace=pace))) == pieces
    assert len(pace.spans) == stretches
    assert sum(sent_bytes for sent_bytes, _ in pace.spans) == 10 * size


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("name", ["aiohttp", "builtin", "httpx", "niquests", "requests"])
def test_every_uploader_tells_how_long_chunks_take_where_there_are_any(server: Greeting, name: str, kind: Kind) -> None:
    endpoint, payload = Endpoint(host="127.0.0.1", port=server.port), Payload(size=2**20, chunk=2**17, seed=1)
    try:
        client = load_uploader(name)(endpoint)
    except UsageError as error:
        pytest.skip(str(error))
    try:
        uploading = Uploader(client, endpoint, payload, kind=kind)
        send_ms = uploading.upload().phases_ns["send"] / 1e6
    finally:
        client.close()
    times = chunk_times_ms([uploading.pace], payload.chunk, [0.5, 0.95])
    assert len(times) == (2 if kind in CHUNKED else 0)
    assert all(0 < each <= send_ms for each in times)
