from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING

import pytest

from aether_pack_bench.trees.content import PIECE_BYTES, generate

if TYPE_CHECKING:
    from aether_pack_bench.trees.content import ContentKind

SHA256 = {
    "text": "aa297f1c00eaeb6bae0ffd2d73acbe41f30d38ae183d19825cc8dd9707ca49a8",
    "binary": "61f0fa730e06fcff327245d06455e2baf6355412cf61857262a813eee8bac008",
    "noise": "a0d910cc480eceb33debc5cb13b31896ddfcb886ca54831a62942226a49bb05f",
}


@pytest.mark.parametrize("kind", SHA256)
def test_contents_are_the_same_on_every_system(kind: ContentKind) -> None:
    assert hashlib.sha256(b"".join(generate(kind, 200_000, 42))).hexdigest() == SHA256[kind]


@pytest.mark.parametrize("kind", SHA256)
@pytest.mark.parametrize("size", [0, 1, 63, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 5 * PIECE_BYTES + 3])
def test_contents_have_the_size_asked_for_in_pieces_that_fit_into_memory(kind: ContentKind, size: int) -> None:
    pieces = list(generate(kind, size, 1))
    assert sum(map(len, pieces)) == size
    assert all(0 < len(piece) <= PIECE_BYTES for piece in pieces)


@pytest.mark.parametrize(("kind", "least", "most"), [("text", 0.2, 0.3), ("binary", 0.3, 0.42), ("noise", 1.0, 1.01)])
def test_contents_compress_as_what_they_stand_for(kind: ContentKind, least: float, most: float) -> None:
    content = b"".join(generate(kind, 1_000_000, 7))
    assert least <= len(zlib.compress(content, 6)) / len(content) <= most


@pytest.mark.parametrize("kind", SHA256)
def test_another_seed_gives_other_contents(kind: ContentKind) -> None:
    assert list(generate(kind, 5000, 1)) != list(generate(kind, 5000, 2))
