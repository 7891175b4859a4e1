from __future__ import annotations

import hashlib

import pytest

from aether_stream_bench.payload import BLOCK_BYTES, PERIOD_BYTES, Payload

MIB = 2**20
PAYLOAD_SHA256 = "676d25c9f034afe02e0e6d3ec04abee785b8fead65c27567c86e20c834d72201"


def test_the_same_seed_gives_the_same_bytes_on_every_system() -> None:
    payload = Payload(size=100_000, chunk=4096, seed=1)
    assert payload.sha256() == PAYLOAD_SHA256
    assert payload.sha256() == Payload(size=100_000, chunk=4096, seed=1).sha256()


def test_another_seed_gives_other_bytes() -> None:
    assert Payload(size=1000, chunk=100, seed=1).sha256() != Payload(size=1000, chunk=100, seed=2).sha256()


def test_the_chunk_does_not_change_the_bytes() -> None:
    digests = {Payload(size=100_000, chunk=chunk, seed=1).sha256() for chunk in (1000, 4096, 99_999, 100_000, 200_000)}
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("size", "chunk", "sizes"),
    [
        (1, 1, [1]),
        (1, 1000, [1]),
        (10, 10, [10]),
        (10, 5, [5, 5]),
        (11, 5, [5, 5, 1]),
        (9, 5, [5, 4]),
        (3, 1, [1, 1, 1]),
    ],
)
def test_chunks_are_whole_but_for_the_last(size: int, chunk: int, sizes: list[int]) -> None:
    assert [len(view) for view in Payload(size=size, chunk=chunk, seed=1)] == sizes


@pytest.mark.parametrize(
    ("size", "chunk"),
    [(8 * MIB, 128 * 1024), (1_000_003, 4096), (BLOCK_BYTES, MIB), (BLOCK_BYTES + 1, MIB), (70 * MIB + 7, 3_000_001)],
)
def test_size_and_digest_agree_with_the_chunks_in_a_row(size: int, chunk: int) -> None:
    payload = Payload(size=size, chunk=chunk, seed=1)
    whole = b"".join(payload)
    assert len(whole) == payload.size == size
    assert payload.sha256() == hashlib.sha256(whole).hexdigest()


def test_a_payload_may_be_gone_through_more_than_once() -> None:
    payload = Payload(size=10_001, chunk=100, seed=1)
    assert b"".join(payload) == b"".join(payload)


def test_past_32_mib_the_same_memory_comes_round_again() -> None:
    payload = Payload(size=2**50, chunk=MIB, seed=1)
    views = iter(payload)
    first_round = [next(views) for _ in range(32)]
    second_round = [next(views) for _ in range(32)]
    assert all(again.obj is view.obj and again == view for view, again in zip(first_round, second_round, strict=True))


def test_what_is_drawn_comes_round_again_in_other_memory() -> None:
    payload = Payload(size=BLOCK_BYTES, chunk=MIB, seed=1)
    whole = b"".join(payload)
    assert len(payload.distinct) == 32
    assert whole[PERIOD_BYTES:] == whole[:-PERIOD_BYTES]


def test_chunks_within_the_block_are_all_different() -> None:
    payload = Payload(size=BLOCK_BYTES, chunk=MIB, seed=1)
    assert len({hashlib.sha256(view).digest() for view in payload}) == 32


def test_a_chunk_may_be_larger_than_the_block() -> None:
    payload = Payload(size=2 * BLOCK_BYTES + 10, chunk=BLOCK_BYTES + 5, seed=1)
    assert [len(view) for view in payload] == [BLOCK_BYTES + 5, BLOCK_BYTES + 5]


def test_a_chunk_may_be_as_large_as_a_quarter_of_a_gibibyte() -> None:
    payload = Payload(size=2**28, chunk=2**28, seed=1)
    assert [len(view) for view in payload] == [2**28]
