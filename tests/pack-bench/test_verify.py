from __future__ import annotations

import gzip
import io
import lzma
import os
import random
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from functools import partial
from typing import TYPE_CHECKING

import pytest
import zstandard

from aether_harness import BenchError
from aether_pack_bench.archive.verify import verify_artifact

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
    with pytest.raises(BenchError, match=": cannot be unpacked: "):
        verifying(tmp_path / "other", parcel)


def test_a_missing_artifact_is_refused_in_words(parcel: Parcel, verifying: Callable[..., None], tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=": cannot be unpacked: "):
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


COMPRESSORS = {"gz": gzip.compress, "zst": zstandard.compress, "xz": partial(lzma.compress, preset=0), "tar": bytes}


def tar_of(*members: tuple[str, int]) -> bytes:
    """Return a tar of files of so many zero bytes."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, size in members:
            info = tarfile.TarInfo(name)
            info.size = size
            archive.addfile(info, io.BytesIO(bytes(size)))
    return content.getvalue()


@pytest.mark.parametrize("form", COMPRESSORS)
def test_a_stream_larger_than_its_tree_is_not_read_out(
    parcel: Parcel, verifying: Callable[..., None], tmp_path: Path, form: str
) -> None:
    artifact = tmp_path / "artifact"
    artifact.write_bytes(COMPRESSORS[form](gzip.decompress(parcel.bytes) + bytes(16 * 2**20)))
    with pytest.raises(BenchError, match=r": cannot be unpacked: it is larger than the tree it was made of$"):
        verifying(artifact, parcel)


@pytest.mark.parametrize("name", ["a.txt", "new.txt", "d/" * 5000 + "deep"], ids=["size", "path", "depth"])
def test_nothing_is_unpacked_that_the_tree_does_not_hold(
    parcel: Parcel, verifying: Callable[..., None], tmp_path: Path, name: str
) -> None:
    (tmp_path / "artifact").write_bytes(tar_of((name, 2**20)))
    with pytest.raises(BenchError, match=r"^the artifact differs from the tree at "):
        verifying(tmp_path / "artifact", parcel)
    assert os.listdir(tmp_path / "unpacked-1") == []


def test_a_sparse_file_of_exbibytes_is_refused_unread(
    parcel: Parcel, verifying: Callable[..., None], tmp_path: Path
) -> None:
    header = tarfile.TarInfo("a.txt")
    header.type = tarfile.GNUTYPE_SPARSE
    raw = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    raw[483:495] = b"\x80" + (2**60).to_bytes(11, "big")  # its size, holes and all
    raw[148:156] = b"%06o\0 " % (sum(raw[:148]) + sum(raw[156:]) + 8 * 32)
    (tmp_path / "artifact").write_bytes(bytes(raw) + bytes(10240))
    with pytest.raises(BenchError, match=r"^the artifact differs from the tree at a\.txt$"):
        verifying(tmp_path / "artifact", parcel)


def test_a_zip_member_larger_than_its_file_is_refused_unread(
    parcel: Parcel, verifying: Callable[..., None], tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "artifact", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", bytes(64 * 2**20))
    with pytest.raises(BenchError, match=r"^the artifact differs from the tree at a\.txt$"):
        verifying(tmp_path / "artifact", parcel)


@needs_links
def test_no_file_outside_is_written_by_links_and_a_file(
    tree: Path, packing: Callable[..., Parcel], verifying: Callable[..., None], tmp_path: Path
) -> None:
    for name in ("1", "2"):
        (tree / name).write_bytes(b"text")
    (tmp_path / "outside").write_bytes(b"before")
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, kind, target in (("1", tarfile.SYMTYPE, "../outside"), ("2", tarfile.LNKTYPE, "1")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
        info = tarfile.TarInfo("2")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"text"))
    (tmp_path / "artifact").write_bytes(content.getvalue())
    with pytest.raises(BenchError, match=r"artifact: 2: is in the artifact twice$"):
        verifying(tmp_path / "artifact", packing(tree))
    assert (tmp_path / "outside").read_bytes() == b"before"


@pytest.mark.skipif(shutil.which("tar") is None, reason="no tar here")
@pytest.mark.parametrize("form", ["gnu", "posix", "oldgnu"])
def test_sparse_tars_of_the_system_s_tar_are_verified(
    tree: Path, packing: Callable[..., Parcel], verifying: Callable[..., None], tmp_path: Path, form: str
) -> None:
    with (tree / "sparse").open("wb") as file:
        for place in range(0, 50 * 2**16, 2**16):
            file.seek(place)
            file.write(b"data")
        file.truncate(2**23)
    parcel = packing(tree)
    command = ["tar", f"--format={form}", "--sparse", "-cf", str(tmp_path / "artifact"), "-C", str(tree), "."]
    if subprocess.run(command, capture_output=True, check=False, timeout=60).returncode:
        pytest.skip("this tar knows no sparse files")
    verifying(tmp_path / "artifact", parcel)


@needs_links
def test_hard_links_of_the_system_s_tar_are_verified(
    tree: Path, packing: Callable[..., Parcel], verifying: Callable[..., None], tmp_path: Path
) -> None:
    (tree / "again").hardlink_to(tree / "a" / "inner.txt")
    (tree / "link").symlink_to("nowhere")
    os.link(tree / "link", tree / "link again", follow_symlinks=False)
    parcel = packing(tree)
    command = ["tar", "-cf", str(tmp_path / "artifact"), "-C", str(tree), "."]
    subprocess.run(command, check=True, timeout=60)
    verifying(tmp_path / "artifact", parcel)


@needs_posix
def test_a_difference_is_one_line_whatever_the_name(
    tree: Path, packing: Callable[..., Parcel], verifying: Callable[..., None]
) -> None:
    (tree / "a\nb").touch()
    parcel = packing(tree)
    (tree / "a\nb").unlink()
    with pytest.raises(BenchError, match=r"^the artifact differs from the tree at a\\nb$"):
        verifying(packing(tree).artifact, parcel)
