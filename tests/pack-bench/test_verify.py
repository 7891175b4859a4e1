from __future__ import annotations

import gzip
import os
import random
import sys
import zlib
from typing import TYPE_CHECKING

import pytest

from aether_harness import BenchError
from aether_pack_bench.verify import verify_artifact

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Parcel

needs_posix = pytest.mark.skipif(os.name != "posix", reason="POSIX only")
needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links take a privilege on Windows")

HEADER_BYTES = 10


@pytest.fixture
def verifying(tree: Path, tmp_path: Path) -> Callable[..., None]:
    """Return a function that verifies an artifact against the tree, unpacking it into a new folder."""
    count = 0

    def verifying(artifact: Path, parcel: Parcel) -> None:
        nonlocal count
        count += 1
        verify_artifact(str(artifact), parcel.packed.manifest, str(tree), str(tmp_path / f"unpacked-{count}"))

    return verifying


@pytest.fixture
def parcel(tree: Path, packing: Callable[..., Parcel]) -> Parcel:
    """Return the packed tree, with enough in it that does not compress."""
    (tree / "random.bin").write_bytes(random.Random(1).randbytes(5000))
    return packing(tree)


def holds(content: bytes, stream: bytes) -> bool:
    """Say whether this is a sound gzip file of the stream."""
    try:
        return gzip.decompress(content) == stream
    except (OSError, EOFError, zlib.error):
        return False


def test_an_artifact_of_an_unchanged_tree_is_verified_as_often_as_one_likes(
    parcel: Parcel, verifying: Callable[..., None], tmp_path: Path
) -> None:
    verifying(parcel.artifact, parcel)
    verifying(parcel.artifact, parcel)
    assert (tmp_path / "unpacked-2" / "a" / "inner.txt").read_bytes() == b"inner"


def test_an_artifact_with_a_damaged_bit_is_refused_wherever_it_is(
    parcel: Parcel, verifying: Callable[..., None], tmp_path: Path
) -> None:
    whole = parcel.bytes
    stream = gzip.decompress(whole)
    damaged = tmp_path / "damaged.tar.gz"
    accepted = []
    for position in [*range(HEADER_BYTES, len(whole), 97), *range(len(whole) - 8, len(whole))]:
        content = whole[:position] + bytes([whole[position] ^ 0x10]) + whole[position + 1 :]
        if holds(content, stream):
            continue  # a bit that nobody reads: the filling after a compressed block
        damaged.write_bytes(content)
        try:
            verifying(damaged, parcel)
        except BenchError:
            continue
        accepted.append(position)
    assert accepted == []


def test_a_truncated_artifact_is_refused_wherever_it_ends(
    parcel: Parcel, verifying: Callable[..., None], tmp_path: Path
) -> None:
    whole = parcel.bytes
    truncated = tmp_path / "truncated.tar.gz"
    accepted = []
    for length in [*range(0, len(whole), 197), *range(len(whole) - 30, len(whole))]:
        truncated.write_bytes(whole[:length])
        try:
            verifying(truncated, parcel)
        except BenchError:
            continue
        accepted.append(length)
    assert accepted == []


@pytest.mark.parametrize("content", [b"", b"no gzip at all"])
def test_what_is_no_archive_is_refused_in_words(
    parcel: Parcel, verifying: Callable[..., None], tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(BenchError, match="the artifact cannot be unpacked: "):
        verifying(tmp_path / "other", parcel)


def test_a_missing_artifact_is_refused_in_words(parcel: Parcel, verifying: Callable[..., None], tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="the artifact cannot be unpacked: "):
        verifying(tmp_path / "missing.tar.gz", parcel)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda root: (root / "a" / "inner.txt").write_bytes(b"Inner"), "a/inner.txt"),
        (lambda root: (root / "a" / "inner.txt").unlink(), "a/inner.txt"),
        (lambda root: (root / "random.bin").unlink(), "random.bin"),
        (lambda root: (root / "b" / "nothing here").rmdir(), "b/nothing here"),
        (lambda root: os.truncate(root / "large.bin", 255_999), "large.bin"),
    ],
    ids=["changed", "missing", "missing at the end", "missing folder", "shortened"],
)
def test_an_artifact_that_differs_from_the_manifest_is_refused_by_the_path_that_differs(
    packing: Callable[..., Parcel],
    parcel: Parcel,
    verifying: Callable[..., None],
    change: Callable[[Path], object],
    path: str,
) -> None:
    change(parcel.root)
    other = packing(parcel.root)
    with pytest.raises(BenchError, match=rf"^the artifact differs from the tree at {path}$"):
        verifying(other.artifact, parcel)


def test_an_artifact_with_an_entry_too_many_is_refused_by_name(
    tree: Path, packing: Callable[..., Parcel], parcel: Parcel, verifying: Callable[..., None]
) -> None:
    (tree / "z.txt").touch()
    other = packing(tree)
    with pytest.raises(BenchError, match=r"^the artifact differs from the tree at z\.txt$"):
        verifying(other.artifact, parcel)


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "a.txt").write_bytes(b"Outer"),
        lambda root: (root / "a.txt").unlink(),
        lambda root: (root / "new.txt").touch(),
        lambda root: (root / "b" / "nothing here").rmdir(),
    ],
    ids=["changed", "missing", "new", "missing folder"],
)
def test_a_tree_that_changed_since_it_was_packed_is_refused_by_name(
    tree: Path, parcel: Parcel, verifying: Callable[..., None], change: Callable[[Path], object]
) -> None:
    change(tree)
    with pytest.raises(BenchError, match=r"tree: the tree changed while it was measured$"):
        verifying(parcel.artifact, parcel)


def test_a_tree_that_is_gone_is_refused_by_name(
    tree: Path, parcel: Parcel, verifying: Callable[..., None], tmp_path: Path
) -> None:
    tree.rename(tmp_path / "moved")
    with pytest.raises(BenchError, match=r"tree: no such file or directory$"):
        verifying(parcel.artifact, parcel)


@needs_posix
@pytest.mark.parametrize(("before", "after"), [(0o644, 0o755), (0o755, 0o644)])
def test_a_changed_right_to_execute_is_refused_by_the_path(
    tree: Path, packing: Callable[..., Parcel], verifying: Callable[..., None], before: int, after: int
) -> None:
    (tree / "a" / "inner.txt").chmod(before)
    parcel = packing(tree)
    (tree / "a" / "inner.txt").chmod(after)
    with pytest.raises(BenchError, match=r"a/inner\.txt: whether it may be executed$"):
        verifying(parcel.artifact, parcel)


@needs_links
def test_an_artifact_with_a_link_to_elsewhere_is_refused_by_the_path(
    tree: Path, packing: Callable[..., Parcel], verifying: Callable[..., None]
) -> None:
    (tree / "link").symlink_to("a")
    parcel = packing(tree)
    (tree / "link").unlink()
    (tree / "link").symlink_to("b")
    with pytest.raises(BenchError, match=r"^the artifact differs from the tree at link$"):
        verifying(packing(tree).artifact, parcel)
