from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aether_pack_bench.archive.tar_header import end_of_archive, padding, tar_header

if TYPE_CHECKING:
    from aether_pack_bench.trees.walk import Kind


def made_by_tarfile(path: str, kind: Kind, *, size: int, executable: bool, link: str) -> bytes:
    """Return what tarfile itself writes for such a member."""
    member = tarfile.TarInfo(path)
    member.type = {"file": tarfile.REGTYPE, "folder": tarfile.DIRTYPE, "link": tarfile.SYMTYPE}[kind]
    member.size, member.linkname = size, link
    member.mode = {"folder": 0o755, "link": 0o777}.get(kind, 0o755 if executable else 0o644)
    return member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


@settings(max_examples=300)
@given(
    path=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=120)
    | st.text(st.sampled_from("ab/."), min_size=90, max_size=110),
    kind=st.sampled_from(["file", "folder", "link"]),
    size=st.integers(0, 8**11 + 5) | st.sampled_from([8**11 - 1, 8**11, 2**40]),
    executable=st.booleans(),
)
def test_a_header_is_the_one_tarfile_writes(path: str, kind: Kind, size: int, *, executable: bool) -> None:
    path = path.strip("/") or "a"
    size = size if kind == "file" else 0
    executable = executable and kind == "file"
    link = "somewhere/else" if kind == "link" else ""
    header = tar_header(path, kind, size=size, executable=executable, link=link)
    assert header == made_by_tarfile(path, kind, size=size, executable=executable, link=link)


def test_a_file_of_more_than_8_gib_keeps_its_size() -> None:
    size = 9 * 2**30 + 1
    with tarfile.open(fileobj=io.BytesIO(tar_header("large", "file", size=size))) as archive:
        member = archive.next()
    assert member is not None
    assert (member.name, member.size) == ("large", size)


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513])
def test_padding_fills_a_block(size: int) -> None:
    assert (size + len(padding(size))) % 512 == 0
    assert len(padding(size)) < 512


@pytest.mark.parametrize("blocks", [0, 1, 17, 18, 19, 20, 21])
def test_the_end_is_two_empty_blocks_and_fills_a_record(blocks: int) -> None:
    end = end_of_archive(blocks * 512)
    assert (blocks * 512 + len(end)) % tarfile.RECORDSIZE == 0
    assert 1024 <= len(end) < 1024 + tarfile.RECORDSIZE
    assert not any(end)
